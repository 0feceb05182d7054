/* SPDX-License-Identifier: Apache-2.0 */
/* Packets that belong to no connection (virtio 1.2, 5.10.6). */
#include "vsock-hostile.h"

#include "guest.h"
#include "text.h"

typedef struct {
  const char *name;
  Header header; /* 0: as it should be */
  uint32_t size;
  bool reset; /* is the answer */
} Stray;

static const Stray strays[] = {
    {"bytes without a connection", {.op = RW, .len = 10}, 10, true},
    {"a response that nobody asked for", {.op = RESPONSE}, 0, true},
    {"the end of a connection that is none", {.op = SHUTDOWN, .flags = 3}, 0, true},
    {"credit for nothing", {.op = CREDIT_UPDATE}, 0, true},
    {"a question for credit of nothing", {.op = CREDIT_REQUEST}, 0, true},
    {"a reset of nothing", {.op = RST}, 0, false},
    {"an operation that nobody knows", {.op = 8}, 0, true},
    {"the last operation", {.op = 0xffff}, 0, true},
    {"a length of 4 GiB", {.op = RW, .len = 0xffffffff}, 10, true},
    {"a request with a length", {.op = REQUEST, .len = 1}, 0, true},
    {"a packet of datagrams", {.op = REQUEST, .type = 3}, 0, true},
    {"one of a type that nobody knows", {.op = REQUEST, .type = 0xffff}, 0, true},
    {"one for another guest", {.op = REQUEST, .dst_cid = 99}, 0, true},
    {"one for nobody", {.op = REQUEST, .dst_cid = ~0ull}, 0, true},
    {"a reset for another guest", {.op = RST, .dst_cid = 99}, 0, false},
    {"one from the host", {.op = REQUEST, .src_cid = CID_HOST}, 0, false},
    {"one from another guest", {.op = RW, .src_cid = 1ull << 40}, 0, false},
    {"a request to a port where nobody listens", {.op = REQUEST, .dst_port = 4}, 0, true},
    {"a request to any port", {.op = REQUEST, .dst_port = 0xffffffff}, 0, true},
};

static void stray_once(const Stray *stray, unsigned *wrong) {
  uint32_t port = socket_next_port++;
  Header header = socket_packet(stray->header.op, port, stray->header.dst_port ? stray->header.dst_port : NOBODYS);

  header.len = stray->header.len;
  header.flags = stray->header.flags;
  header.type = stray->header.type ? stray->header.type : 1;
  header.src_cid = stray->header.src_cid ? stray->header.src_cid : socket_cid;
  header.dst_cid = stray->header.dst_cid ? stray->header.dst_cid : CID_HOST;
  bool came_back = socket_send(header, stray->size);
  /* Of two, the second is answered in any case. */
  socket_send(socket_packet(REQUEST, port + 1, NOBODYS), 0);
  Header answer = {0};
  bool is_reset = socket_receive(&answer, 10 * counter_frequency()) && answer.op == RST && answer.dst_port == port;
  if (is_reset)
    socket_hears(RST, port + 1);
  socket_next_port++;
  if (came_back && is_reset == stray->reset)
    return;
  ++*wrong;
  print("# %s: %s\n", stray->name, came_back ? is_reset ? "is answered" : "is not answered" : "does not come back");
}

void stray(void) {
  const unsigned n = sizeof strays / sizeof *strays;
  unsigned wrong = 0;

  socket_start(true);
  for (unsigned i = 0; i < n; i++)
    stray_once(&strays[i], &wrong);
  check(wrong == 0, "%u packets of no connection get a reset, or nothing (%u do not)", n, wrong);
  for (unsigned i = 0; i < 4 * N_BUFFERS; i++)
    socket_send(socket_packet(RST, NOBODYS, i), 0);
  Header header;
  check(!socket_receive(&header, counter_frequency() / 20), "a storm of resets is not answered");
}
