/* SPDX-License-Identifier: Apache-2.0 */
/* What a guest that may not begin connections can send, and what not. */
#include "devices/backend/answer-filter.h"

#include <glib.h>
#include <string.h>

static const uint16_t ports[] = {53, 5060};
static const AnswerFilter filter = {ports, G_N_ELEMENTS(ports)};

typedef struct {
  uint8_t bytes[128];
  size_t size;
} Frame;

static void put_16(uint8_t *at, unsigned value) {
  at[0] = (uint8_t)(value >> 8);
  at[1] = (uint8_t)value;
}

static Frame ethernet(unsigned type) {
  Frame frame = {.size = 14 + 46};
  put_16(frame.bytes + 12, type);
  return frame;
}

/* OPTIONS: words of IPv4's header beyond the five. */
static Frame ipv4(unsigned protocol, unsigned options, const void *payload, size_t size) {
  Frame frame = ethernet(0x0800);
  frame.bytes[14] = (uint8_t)(0x40 | (5 + options));
  frame.bytes[14 + 9] = (uint8_t)protocol;
  memcpy(frame.bytes + 14 + 4 * (5 + options), payload, size);
  frame.size = 14 + 4 * (5 + options) + size;
  return frame;
}

static Frame ipv6(unsigned protocol, const void *payload, size_t size) {
  Frame frame = ethernet(0x86dd);
  frame.bytes[14] = 0x60;
  frame.bytes[14 + 6] = (uint8_t)protocol;
  memcpy(frame.bytes + 14 + 40, payload, size);
  frame.size = 14 + 40 + size;
  return frame;
}

static bool passes(Frame frame) {
  /* Where the memory ends with it, a byte read beyond is noticed. */
  g_autofree uint8_t *exact = g_memdup2(frame.bytes, frame.size);
  return answer_filter_passes(&filter, exact, frame.size);
}

/* A packet that passes does not when a part of it is missing. */
static void assert_passes_whole(Frame frame, size_t needed) {
  g_assert_true(passes(frame));
  for (frame.size = 0; frame.size < needed; frame.size++)
    g_assert_false(passes(frame));
}

static void test_tcp(void) {
  static const struct {
    uint8_t flags;
    bool passes;
  } cases[] = {
      {0x02, false}, /* SYN: it begins */
      {0x12, true},  /* SYN, ACK: it answers */
      {0x10, true},  {0x18, true},  {0x11, true},  {0x04, true},
      {0x14, true},  {0x00, false}, {0x01, false}, {0x06, false}, /* nothing of an answer; SYN with RST */
      {0x03, false}, {0xc2, false}, {0x2a, false},                /* SYN beside others */
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    uint8_t tcp[20] = {[13] = cases[i].flags};
    g_assert_cmpint(passes(ipv4(6, 0, tcp, sizeof tcp)), ==, cases[i].passes);
    g_assert_cmpint(passes(ipv4(6, 10, tcp, sizeof tcp)), ==, cases[i].passes);
    g_assert_cmpint(passes(ipv6(6, tcp, sizeof tcp)), ==, cases[i].passes);
  }
  uint8_t tcp[20] = {[13] = 0x10};
  assert_passes_whole(ipv4(6, 3, tcp, sizeof tcp), 14 + 32 + 14);
  assert_passes_whole(ipv6(6, tcp, sizeof tcp), 14 + 40 + 14);
}

static bool udp_passes(bool six, unsigned from, unsigned to) {
  uint8_t udp[8] = {0};
  put_16(udp, from);
  put_16(udp + 2, to);
  return passes(six ? ipv6(17, udp, sizeof udp) : ipv4(17, 0, udp, sizeof udp));
}

static void test_udp(void) {
  g_assert_true(udp_passes(false, 68, 67));
  g_assert_true(udp_passes(true, 546, 547));
  g_assert_false(udp_passes(true, 68, 67));
  g_assert_false(udp_passes(false, 546, 547));
  g_assert_false(udp_passes(false, 68, 53));
  g_assert_false(udp_passes(false, 1234, 53));
  g_assert_false(udp_passes(false, 1234, 67));
  g_assert_true(udp_passes(false, 53, 40000));
  g_assert_true(udp_passes(true, 5060, 40000));
  uint8_t udp[8] = {0, 53};
  assert_passes_whole(ipv4(17, 0, udp, sizeof udp), 14 + 20 + 8);
}

static void test_icmp(void) {
  for (unsigned type = 0; type < 256; type++) {
    uint8_t icmp[8] = {(uint8_t)type};
    g_assert_cmpint(passes(ipv4(1, 0, icmp, sizeof icmp)), ==, type == 0 || type == 3 || type == 11 || type == 12);
    bool six = type < 128 || (type >= 129 && type <= 137) || type == 143;
    g_assert_cmpint(passes(ipv6(58, icmp, sizeof icmp)), ==, six);
    g_assert_false(passes(ipv6(1, icmp, sizeof icmp)));
    g_assert_false(passes(ipv4(58, 0, icmp, sizeof icmp)));
  }
}

static void test_hop_by_hop(void) {
  uint8_t report[16] = {58, 0, 5, 2, 0, 0, 1, 0, 143}, longer[24] = {58, 1, [16] = 143}, tcp[32] = {6, 0, [8 + 13] = 0x10};

  assert_passes_whole(ipv6(0, report, sizeof report), 14 + 40 + 9);
  g_assert_false(passes(ipv6(0, longer, sizeof longer)));
  g_assert_false(passes(ipv6(0, tcp, sizeof tcp)));
}

static void test_fragments(void) {
  uint8_t tcp[20] = {[13] = 0x10};
  static const unsigned offsets[] = {0x2000, 0x0001, 0x1fff, 0x2001};

  for (unsigned i = 0; i < G_N_ELEMENTS(offsets); i++) {
    Frame frame = ipv4(6, 0, tcp, sizeof tcp);
    put_16(frame.bytes + 14 + 6, offsets[i]);
    g_assert_false(passes(frame));
  }
  Frame frame = ipv4(6, 0, tcp, sizeof tcp);
  put_16(frame.bytes + 14 + 6, 0x4000); /* may not be fragmented */
  g_assert_true(passes(frame));
  g_assert_false(passes(ipv6(44, tcp, sizeof tcp)));
}

static void test_others(void) {
  uint8_t tcp[20] = {[13] = 0x10};

  g_assert_true(passes(ethernet(0x0806)));
  static const unsigned types[] = {0, 60, 0x8100, 0x88a8, 0x8847, 0x888e, 0x88cc, 0xffff};
  for (unsigned i = 0; i < G_N_ELEMENTS(types); i++)
    g_assert_false(passes(ethernet(types[i])));
  for (unsigned protocol = 0; protocol < 256; protocol++)
    if (protocol != 6 && protocol != 17 && protocol != 1)
      g_assert_false(passes(ipv4(protocol, 0, tcp, sizeof tcp)));
  Frame wrong = ipv4(6, 0, tcp, sizeof tcp);
  wrong.bytes[14] = 0x44; /* a header of four words */
  g_assert_false(passes(wrong));
  wrong.bytes[14] = 0x65; /* IPv6 where IPv4 is due */
  g_assert_false(passes(wrong));
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/answer-filter/tcp", test_tcp);
  g_test_add_func("/answer-filter/udp", test_udp);
  g_test_add_func("/answer-filter/icmp", test_icmp);
  g_test_add_func("/answer-filter/hop-by-hop", test_hop_by_hop);
  g_test_add_func("/answer-filter/fragments", test_fragments);
  g_test_add_func("/answer-filter/others", test_others);
  return g_test_run();
}
