/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio console with several ports (virtio 1.2, 5.3, VIRTIO_CONSOLE_F_MULTIPORT): named byte streams between guest and
 * host, which Linux shows as /dev/vportNpM with the name in sysfs. None of them is a console.
 */
#pragma once

#include "devices/virtio/virtio.h"

#define VIRTIO_CONSOLE_PORTS_MAX 16

typedef struct {
  const char *name;     /* "eret.stdout"; copied */
  CharBackend *backend; /* stays the caller's; must outlive the device */
} VirtioConsolePort;

typedef struct {
  /* The guest opened or closed port PORT. On the main thread. */
  void (*opened)(void *opaque, unsigned port, bool open);
  /*
   * All that the guest wrote to PORT before it closed it has been taken by the back end. Main thread, after
   * opened(false).
   */
  void (*drained)(void *opaque, unsigned port);
} VirtioConsolePortsOps;

typedef struct VirtioConsolePortSet {
  const VirtioConsolePort *ports;
  unsigned n;                       /* 1 .. VIRTIO_CONSOLE_PORTS_MAX, where there is such a device */
  const VirtioConsolePortsOps *ops; /* or NULL */
  void *opaque;
} VirtioConsolePortSet;

extern const DeviceKind virtio_console_ports_kind;
/*
 * The host's end of the stream to the guest: once what the back end has handed over so far is in the guest's buffers,
 * the port is closed on the host's side, and the guest reads end of file. Main thread.
 */
void virtio_console_ports_end_input(VirtioDevice *device, unsigned port);
