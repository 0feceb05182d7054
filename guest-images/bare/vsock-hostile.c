/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A driver of a virtio socket device (virtio 1.2, 5.10) that breaks its rules: headers whose length, operation, type or
 * address is wrong, bytes for connections that are none, more of them than there is credit for, credit that goes
 * backwards, answers that nobody asked for, requests by the thousand, storms of resets, chains that no driver may make;
 * and then random packets, the same each time for the same seed. Each is answered as it should be, and the device works
 * afterwards: what is sent to port 1000 of the host, where somebody echoes, comes back.
 *
 * Boot arguments: count=N (2000) random packets, seed=N (1); `wait` for a key before and after, so that somebody can
 * look at the hypervisor.
 */
#include "vsock-hostile/vsock-hostile.h"

#include "guest.h"
#include "text.h"

const char *const guest_name = "vsock-hostile";

static void all(unsigned count) {
  stray();
  break_connections();
  spoil_credit();
  socket_works("packets that nobody may send");
  break_chains("the transmit queue", TXQ);
  break_chains("the receive queue", RXQ);
  odd_chains();
  socket_works("chains that are none");
  reset_amid_traffic();
  throw_random(count);
  socket_works("random packets");
}

void guest_main(void) {
  unsigned count = (unsigned)argument_number("count", 2000);

  if (!virtio_find(&device, VSOCK_ID))
    guest_skip("there is no socket device");
  hostile_begin();
  socket_works("a start like any other");
  all(200);
  request_all(512);
  socket_works("hundreds of requests");
  hostile_pause("settled");
  all(count);
  request_all(3072);
  socket_works("requests by the thousand");
  hostile_pause("done");
}
