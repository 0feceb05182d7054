/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames of a guest that may answer and not begin: devices/backend/answer-filter.c. What passes is looked at once more,
 * in other words: no fragment, no TCP segment that begins a connection, no datagram but from where one is expected.
 */
#include "tests/fuzz/fuzz.h"

#include "devices/backend/answer-filter.h"

#define PORT_A 53
#define PORT_B 4500

static unsigned word(const uint8_t *at) {
  return (unsigned)at[0] << 8 | at[1];
}

static void assert_transport(unsigned protocol, const uint8_t *at, size_t size) {
  g_assert_true(protocol == 1 || protocol == 6 || protocol == 17 || protocol == 58);
  if (protocol == 6)
    g_assert_true(size > 13 && ((at[13] & 0x12) != 2 && (at[13] & 0x14)));
  if (protocol == 17) {
    unsigned from = word(at), to = word(at + 2);
    g_assert_true(from == PORT_A || from == PORT_B || (from == 68 && to == 67) || (from == 546 && to == 547));
  }
  if (protocol == 1)
    g_assert_true(at[0] == 0 || at[0] == 3 || at[0] == 11 || at[0] == 12);
  if (protocol == 58)
    g_assert_cmpuint(at[0], !=, 128);
}

static void assert_ipv4(const uint8_t *ip, size_t size) {
  size_t header = (size_t)(ip[0] & 15) * 4;

  g_assert_cmpuint(ip[0] >> 4, ==, 4);
  g_assert_cmpuint(header, <=, size);
  g_assert_cmphex(word(ip + 6) & 0x3fff, ==, 0);
  assert_transport(ip[9], ip + header, size - header);
}

static void assert_ipv6(const uint8_t *ip, size_t size) {
  bool options = ip[6] == 0;

  g_assert_cmpuint(ip[0] >> 4, ==, 6);
  if (options)
    g_assert_true(ip[40] == 58 && ip[41] == 0);
  assert_transport(options ? 58 : ip[6], ip + (options ? 48 : 40), size - (options ? 48 : 40));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const uint16_t ports[] = {PORT_A, PORT_B};
  const AnswerFilter filter = {ports, G_N_ELEMENTS(ports)};
  g_autofree uint8_t *frame = fuzz_copy(data, size);

  if (!answer_filter_passes(&filter, frame, size))
    return 0;
  g_assert_cmpuint(size, >=, 14);
  if (word(frame + 12) == 0x0800)
    assert_ipv4(frame + 14, size - 14);
  else if (word(frame + 12) == 0x86dd)
    assert_ipv6(frame + 14, size - 14);
  else
    g_assert_cmphex(word(frame + 12), ==, 0x0806);
  return 0;
}
