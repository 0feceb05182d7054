/* SPDX-License-Identifier: Apache-2.0 */
/* What init asks a DHCP server, and what it takes of an answer: guest-images/init/dhcp.c. The network is hostile. */
#include "guest-images/init/dhcp.h"

#include <glib.h>
#include <string.h>

#define TRANSACTION 0x01020304
#define SERVER      0x0a4e0001 /* 10.78.0.1 */
#define OFFERED     0x0a4e0014 /* 10.78.0.20 */
#define HEADERS     28         /* IPv4's and UDP's */
#define OPTIONS     (HEADERS + 240)
#define ANSWER_MAX  1500

enum { DISCOVER = 1, OFFER = 2, REQUEST = 3, ACK = 5, NAK = 6 };

static const uint8_t mac[DHCP_MAC_SIZE] = {2, 0, 0, 0x12, 0x34, 0x56};

typedef struct {
  uint8_t bytes[ANSWER_MAX];
  size_t size;
} Answer;

static void put16(uint8_t *bytes, unsigned value) {
  bytes[0] = (uint8_t)(value >> 8);
  bytes[1] = (uint8_t)value;
}

static void put32(uint8_t *bytes, uint32_t value) {
  put16(bytes, value >> 16);
  put16(bytes + 2, value & 0xffff);
}

static uint32_t get32(const uint8_t *bytes) {
  return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static void set_size(Answer *answer) {
  put16(answer->bytes + 2, (unsigned)answer->size);
  put16(answer->bytes + 24, (unsigned)answer->size - 20);
}

static void add(Answer *answer, unsigned code, const void *value, size_t size) {
  answer->bytes[answer->size++] = (uint8_t)code;
  answer->bytes[answer->size++] = (uint8_t)size;
  memcpy(answer->bytes + answer->size, value, size);
  answer->size += size;
  set_size(answer);
}

static void add32(Answer *answer, unsigned code, uint32_t value) {
  uint8_t bytes[4];

  put32(bytes, value);
  add(answer, code, bytes, sizeof bytes);
}

/* Without an end: that of the packet is one. */
static Answer answer_with(unsigned type) {
  Answer answer = {.size = OPTIONS};
  uint8_t *message = answer.bytes + HEADERS;

  answer.bytes[0] = 0x45;
  answer.bytes[9] = 17;
  put16(answer.bytes + 20, 67);
  put16(answer.bytes + 22, 68);
  message[0] = 2;
  message[1] = 1;
  message[2] = 6;
  put32(message + 4, TRANSACTION);
  put32(message + 16, OFFERED);
  memcpy(message + 28, mac, sizeof mac);
  put32(message + 236, 0x63825363);
  add(&answer, 53, &(uint8_t){(uint8_t)type}, 1);
  add32(&answer, 54, SERVER);
  return answer;
}

static void give(DhcpClient *client, const Answer *answer) {
  /* Its own memory, whose end the sanitizer knows. */
  g_autofree uint8_t *bytes = g_memdup2(answer->bytes, answer->size);
  dhcp_received(client, bytes, answer->size);
}

/* The type of what is sent at MS; 0: nothing. */
static unsigned sent(DhcpClient *client, uint64_t ms) {
  uint8_t packet[DHCP_PACKET_SIZE];

  return dhcp_next(client, ms, packet) ? packet[OPTIONS + 2] : 0;
}

static DhcpClient started(void) {
  DhcpClient client;

  dhcp_start(&client, mac, TRANSACTION);
  return client;
}

/* One that has asked for what it was offered. */
static DhcpClient requesting(void) {
  DhcpClient client = started();
  const Answer offer = answer_with(OFFER);

  g_assert_cmpuint(sent(&client, 0), ==, DISCOVER);
  give(&client, &offer);
  g_assert_cmpuint(sent(&client, 1), ==, REQUEST);
  return client;
}

static DhcpLease lease_of(const Answer *ack) {
  DhcpClient client = requesting();

  give(&client, ack);
  g_assert_true(client.bound);
  g_assert_cmpuint(sent(&client, 100000), ==, 0);
  return client.lease;
}

static void test_packet(void) {
  DhcpClient client = started();
  uint8_t packet[DHCP_PACKET_SIZE];
  const uint8_t *message = packet + HEADERS;
  uint32_t sum = 0;

  g_assert_true(dhcp_next(&client, 0, packet));
  for (unsigned i = 0; i < 20; i += 2)
    sum += (uint32_t)packet[i] << 8 | packet[i + 1];
  g_assert_cmphex((sum & 0xffff) + (sum >> 16), ==, 0xffff);
  g_assert_cmphex(packet[0], ==, 0x45);
  g_assert_cmpuint(get32(packet) & 0xffff, ==, sizeof packet);
  g_assert_cmphex(get32(packet + 12), ==, 0);          /* from nobody yet */
  g_assert_cmphex(get32(packet + 16), ==, 0xffffffff); /* to everybody */
  g_assert_cmphex(get32(packet + 20), ==, 68 << 16 | 67);
  g_assert_cmphex(get32(packet + 24) >> 16, ==, sizeof packet - 20);
  g_assert_cmphex(get32(message), ==, 0x01010600);
  g_assert_cmphex(get32(message + 4), ==, TRANSACTION);
  g_assert_cmpmem(message + 28, 6, mac, 6);
  g_assert_cmphex(get32(message + 236), ==, 0x63825363);
  g_assert_cmpmem(message + 240, 11, "\x35\x01\x01\x37\x06\x01\x79\x03\x06\x0f\x1a", 11);
  g_assert_cmpuint(message[251], ==, 255);
}

static void test_request(void) {
  DhcpClient client = started();
  const Answer offer = answer_with(OFFER);
  uint8_t packet[DHCP_PACKET_SIZE];

  g_assert_cmpuint(sent(&client, 0), ==, DISCOVER);
  give(&client, &offer);
  g_assert_true(dhcp_next(&client, 0, packet)); /* at once */
  g_assert_cmpmem(packet + OPTIONS, 15, "\x35\x01\x03\x32\x04\x0a\x4e\x00\x14\x36\x04\x0a\x4e\x00\x01", 15);
}

/* At growing distances; an offer that leads to nothing is forgotten. */
static void test_retries(void) {
  static const unsigned times[] = {0, 100, 300, 700, 1500, 3100, 5100, 7100, 9100};
  DhcpClient client = started();

  for (unsigned i = 0; i < G_N_ELEMENTS(times); i++) {
    g_assert_cmpuint(times[i] ? sent(&client, times[i] - 1) : 0, ==, 0);
    g_assert_cmpuint(sent(&client, times[i]), ==, DISCOVER);
    g_assert_cmpuint(client.next_ms, >, times[i]);
  }
  client = requesting();
  for (unsigned i = 1; i < 4; i++)
    g_assert_cmpuint(sent(&client, client.next_ms), ==, REQUEST);
  g_assert_cmpuint(sent(&client, client.next_ms), ==, DISCOVER);
}

static void test_refused(void) {
  DhcpClient client = requesting();
  const Answer nak = answer_with(NAK), offer = answer_with(OFFER);
  uint64_t next = client.next_ms;

  give(&client, &nak);
  g_assert_false(client.bound);
  g_assert_cmpuint(sent(&client, next - 1), ==, 0); /* a server that only refuses is not asked without a pause */
  g_assert_cmpuint(sent(&client, next), ==, DISCOVER);
  give(&client, &offer);
  g_assert_cmpuint(sent(&client, next), ==, REQUEST);
}

static void test_lease(void) {
  Answer ack = answer_with(ACK);

  add32(&ack, 1, 0xffffff00);
  add(&ack, 0, "", 0); /* is two pads */
  add(&ack, 3, "\x0a\x4e\x00\x01\x0a\x4e\x00\x02", 8);
  add(&ack, 6, "\x0a\x4e\x00\x01\x7f\x00\x00\x01\x08\x08\x08\x08\x09\x09\x09\x09\x01\x01\x01\x01", 20);
  add(&ack, 15, "example.net\0", 12);
  add(&ack, 26, "\x05\x78", 2);
  const DhcpLease lease = lease_of(&ack);
  g_assert_cmphex(lease.address, ==, OFFERED);
  g_assert_cmpuint(lease.bits, ==, 24);
  g_assert_cmpuint(lease.n_routes, ==, 1);
  g_assert_cmpuint(lease.routes[0].bits, ==, 0);
  g_assert_cmphex(lease.routes[0].gateway, ==, SERVER);
  g_assert_cmpuint(lease.n_servers, ==, 3); /* and none is the loopback */
  g_assert_cmphex(lease.servers[1], ==, 0x08080808);
  g_assert_cmphex(lease.servers[2], ==, 0x09090909);
  g_assert_cmpstr(lease.domain, ==, "example.net");
  g_assert_cmpuint(lease.mtu, ==, 1400);
}

/* The least that a server can say. */
static void test_bare_lease(void) {
  const Answer ack = answer_with(ACK);
  const DhcpLease lease = lease_of(&ack);

  g_assert_cmpuint(lease.bits, ==, 8); /* class A */
  g_assert_cmpuint(lease.n_routes + lease.n_servers + lease.mtu, ==, 0);
  g_assert_cmpstr(lease.domain, ==, "");
}

static void test_routes(void) {
  static const uint8_t routes[] = "\x20\x0a\x4e\x00\x01\x00\x00\x00\x00" /* 10.78.0.1/32 on the link */
                                  "\x00\x0a\x4e\x00\x01"                 /* the default by it */
                                  "\x0c\xac\x1f\x0a\x4e\x00\x02"         /* 172.31/12: only the bits of the netmask */
                                  "\x08\x0b\x7f\x00\x00\x01"             /* by the loopback: none */
                                  "\x21\x01\x02\x03\x04\x0a\x4e\x00\x01" /* 33 bits: the end */
                                  "\x00\x0a\x4e\x00\x03";
  Answer ack = answer_with(ACK);

  add32(&ack, 1, 0xffffffff);
  add32(&ack, 3, 0x01010101); /* not looked at beside the others */
  add(&ack, 121, routes, sizeof routes - 1);
  const DhcpLease lease = lease_of(&ack);
  g_assert_cmpuint(lease.bits, ==, 32);
  g_assert_cmpuint(lease.n_routes, ==, 3);
  g_assert_cmpuint(lease.routes[0].bits, ==, 32);
  g_assert_cmphex(lease.routes[0].destination, ==, SERVER);
  g_assert_cmphex(lease.routes[0].gateway, ==, 0);
  g_assert_cmpuint(lease.routes[1].bits, ==, 0);
  g_assert_cmphex(lease.routes[1].gateway, ==, SERVER);
  g_assert_cmphex(lease.routes[2].destination, ==, 0xac100000);
}

static void test_router_elsewhere(void) {
  Answer ack = answer_with(ACK);

  add32(&ack, 1, 0xffffffff);
  add32(&ack, 3, SERVER);
  const DhcpLease lease = lease_of(&ack);
  g_assert_cmpuint(lease.n_routes, ==, 2);
  g_assert_cmphex(lease.routes[0].destination, ==, SERVER);
  g_assert_cmpuint(lease.routes[0].bits, ==, 32);
  g_assert_cmphex(lease.routes[0].gateway, ==, 0);
  g_assert_cmphex(lease.routes[1].gateway, ==, SERVER);
}

static void test_many_routes(void) {
  Answer ack = answer_with(ACK);
  static const uint8_t route[] = {0, 10, 78, 0, 1};
  uint8_t routes[50 * sizeof route];

  for (unsigned i = 0; i < sizeof routes; i += sizeof route)
    memcpy(routes + i, route, sizeof route);
  add(&ack, 121, routes, sizeof routes);
  g_assert_cmpuint(lease_of(&ack).n_routes, ==, DHCP_ROUTES_MAX);
}

/* What is to stand in a file, and is more than one word, is left out. */
static void test_strange_values(void) {
  static const char *const domains[] = {"a b", "a\nnameserver 6.6.6.6", "\033[2J", "a\302\233", ";x", "a#"};
  static const uint32_t masks[] = {0, 0xff00ff00, 0x00ffffff, 0xfffffffd};
  char name[255];

  for (unsigned i = 0; i < G_N_ELEMENTS(domains); i++) {
    Answer ack = answer_with(ACK);
    add(&ack, 15, domains[i], strlen(domains[i]));
    add(&ack, 26, "\x00\x44", 2); /* 68 bytes */
    add(&ack, 6, "\x0a\x4e\x00\x01\x0a\x4e", 6);
    const DhcpLease lease = lease_of(&ack);
    g_assert_cmpstr(lease.domain, ==, "");
    g_assert_cmpuint(lease.mtu, ==, 0);
    g_assert_cmpuint(lease.n_servers, ==, 1);
  }
  for (unsigned i = 0; i < G_N_ELEMENTS(masks); i++) {
    Answer ack = answer_with(ACK);
    add32(&ack, 1, masks[i]);
    g_assert_cmpuint(lease_of(&ack).bits, ==, 8);
  }
  memset(name, 'a', sizeof name);
  for (size_t size = DHCP_DOMAIN_MAX; size <= sizeof name; size++) {
    Answer ack = answer_with(ACK);
    add(&ack, 15, name, size);
    g_assert_cmpuint(strlen(lease_of(&ack).domain), ==, size == DHCP_DOMAIN_MAX ? size : 0);
  }
}

/* Of others, for others, or none at all. */
static void test_not_ours(void) {
  static const struct {
    unsigned place;
    uint8_t byte;
  } changes[] = {
      {0, 0x65},              /* IPv6 */
      {0, 0x44},              /* a header too short */
      {0, 0x4f},              /* a longer one: the message is elsewhere */
      {2, 0xff},              /* longer than the packet */
      {3, 40},                /* shorter than a message */
      {6, 0x20},              /* a fragment */
      {7, 1},                 /* another */
      {9, 6},                 /* TCP */
      {21, 68},               /* not of a server */
      {23, 67},               /* not for a client */
      {24, 0xff},             /* UDP longer than IP */
      {25, 8},                /* UDP shorter than a message */
      {HEADERS, 1},           /* a request */
      {HEADERS + 1, 6},       /* another network */
      {HEADERS + 2, 16},      /* longer addresses */
      {HEADERS + 7, 5},       /* another transaction */
      {HEADERS + 28, 4},      /* another card */
      {HEADERS + 236, 0},     /* BOOTP without options */
      {HEADERS + 16, 0},      /* 0.78.0.20 */
      {HEADERS + 16, 127},    /* the loopback */
      {HEADERS + 16, 224},    /* a group */
      {HEADERS + 16, 255},    /* reserved */
      {OPTIONS, 52},          /* no type */
      {OPTIONS, 255},         /* nothing */
      {OPTIONS + 1, 0},       /* an empty type, and nonsense behind it */
      {OPTIONS + 1, 255},     /* longer than the message */
      {OPTIONS + 2, REQUEST}, /* a client's word */
      {OPTIONS + 3, 55},      /* no server */
      {OPTIONS + 4, 3},       /* not the whole of one */
      {OPTIONS + 8, 9},       /* another server */
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(changes); i++) {
    DhcpClient client = requesting();
    Answer ack = answer_with(ACK);
    g_test_message("change %u", i);
    ack.bytes[changes[i].place] = changes[i].byte;
    give(&client, &ack);
    g_assert_false(client.bound);
  }
}

static void test_order(void) {
  DhcpClient client = started();
  const Answer ack = answer_with(ACK), offer = answer_with(OFFER);
  Answer other = answer_with(OFFER);

  give(&client, &ack); /* nothing was asked for */
  g_assert_false(client.bound);
  give(&client, &offer);
  put32(other.bytes + HEADERS + 16, OFFERED + 1);
  give(&client, &other); /* the first one counts */
  g_assert_cmphex(client.offered, ==, OFFERED);
  give(&client, &ack);
  g_assert_true(client.bound);
  put32(other.bytes + HEADERS + 16, OFFERED + 2);
  other.bytes[OPTIONS + 2] = ACK;
  give(&client, &other);
  g_assert_cmphex(client.lease.address, ==, OFFERED);
}

/* Cut off anywhere, and with any byte changed: nothing is read that is not there. */
static void test_noise(void) {
  Answer whole = answer_with(ACK);

  add32(&whole, 1, 0xffffff00);
  add(&whole, 121, "\x18\x0a\x4e\x01\x0a\x4e\x00\x01", 8);
  add(&whole, 15, "example.net", 11);
  for (size_t size = 0; size < whole.size; size++) {
    DhcpClient client = requesting();
    Answer cut = whole;
    cut.size = size;
    give(&client, &cut);
    g_assert_false(client.bound); /* it says that it is longer */
    if (size < OPTIONS)
      continue;
    set_size(&cut);
    give(&client, &cut);
    g_assert_cmpuint(client.lease.n_routes, <=, 1);
  }
  for (size_t place = 0; place < whole.size; place++)
    for (unsigned byte = 0; byte < 256; byte += 5) {
      DhcpClient client = requesting();
      Answer changed = whole;
      changed.bytes[place] = (uint8_t)byte;
      give(&client, &changed);
      g_assert_cmpuint(client.lease.n_routes, <=, 2);
      g_assert_cmpuint(client.lease.bits, <=, 32);
    }
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/dhcp/packet", test_packet);
  g_test_add_func("/dhcp/request", test_request);
  g_test_add_func("/dhcp/retries", test_retries);
  g_test_add_func("/dhcp/refused", test_refused);
  g_test_add_func("/dhcp/lease", test_lease);
  g_test_add_func("/dhcp/bare-lease", test_bare_lease);
  g_test_add_func("/dhcp/routes", test_routes);
  g_test_add_func("/dhcp/router-elsewhere", test_router_elsewhere);
  g_test_add_func("/dhcp/many-routes", test_many_routes);
  g_test_add_func("/dhcp/strange-values", test_strange_values);
  g_test_add_func("/dhcp/not-ours", test_not_ours);
  g_test_add_func("/dhcp/order", test_order);
  g_test_add_func("/dhcp/noise", test_noise);
  return g_test_run();
}
