/* SPDX-License-Identifier: Apache-2.0 */
/* The machine's half of a connection to its guest's port 22: finds who asks for it; the test answers. Tests only. */
#pragma once

#include <glib.h>

#include "devices/backend/vsock-hybrid.h"

#define FAKE_LISTENER_PORT 22

/* The next who asks for the port, once there is one: a descriptor, which is not answered yet. */
static inline int fake_listener_accept(const VsockHybrid *hybrid) {
  uint32_t port = 0;
  int fd;

  while ((fd = vsock_hybrid_accept(hybrid)) < 0)
    g_usleep(1000);
  while (vsock_hybrid_read_line(fd, false, &port) == VSOCK_LINE_INCOMPLETE)
    g_usleep(1000);
  g_assert_cmpuint(port, ==, FAKE_LISTENER_PORT);
  return fd;
}
