/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a machine knows of a device before there is one. Each model has a const DeviceKind: by it a board plans the
 * device and prints the plan, and a platform makes it. Where it sits and when it is there is not its own to say: that
 * is the board's table of devices.
 */
#pragma once

#include "devices/bus.h"
#include "devices/char-backend.h"
#include "devices/clock.h"
#include "devices/guest-memory.h"
#include "devices/interrupt.h"

/* What a new device is handed. All but what is asked for must outlive it; what the machine has not is NULL. */
typedef struct {
  /* This device's own. */
  const char *name;       /* of this instance: "virtio-blk0" */
  unsigned index;         /* among those of its kind */
  const void *asked;      /* what is asked of it: the record of its option, of a type that the kind names; or NULL */
  const DeviceSlot *slot; /* where its registers will be, unless it is a virtio device */
  IrqLine *irq;           /* of a device with one SPI */

  /* The machine's, the same for all. */
  const char *machine; /* its name, which is another machine's at another time or place; NULL: it has none */
  IrqLines *irqs;
  MsiController *msi;
  Bus *bus; /* for more than the slot: further windows */
  const GuestMemory *memory;
  Clock *clock;
  struct DeviceWatch *watch;                       /* devices/device-watch.h */
  bool plan_only;                                  /* the device will not run: what is asked for is not to be connected to anybody else's */
  CharBackend *console;                            /* NULL: output vanishes */
  const struct VirtioConsolePortSet *ports;        /* devices/virtio/console-ports.h */
  const struct HypercallDoorbellCalls *hypercalls; /* devices/hypercall-doorbell.h */
  struct UserNetworks *user_networks;              /* devices/user-network.h */
  struct Shares *shares;                           /* devices/share.h */
  struct DiskServers *disk_servers;                /* devices/virtio/disk-server.h */
  struct GuestEvents *events;                      /* devices/guest-events.h */
} DeviceParts;

/* How firmware finds what it may boot from, as QEMU tells it (hw/core/qdev-fw.c, and each device's). */
typedef struct {
  unsigned index;       /* which place it is asked to have in the boot order, 1 being the first; 0: none */
  const char *function; /* Open Firmware's name of it as a PCI function: "scsi"; NULL: firmware does not boot from it */
  const char *unit;     /* and of what lies below: "disk@0,0" */
} DeviceBoot;

typedef struct {
  const char *name; /* in the plan; where there may be several, with a number: "virtio-blk" */
  const char *note; /* in the printed plan, before the interrupts; or NULL */
  /* In the printed plan, what is asked of this one; free with g_free. Optional. */
  char *(*print_asked)(const void *asked);

  /* A device with registers of its own: its size in bytes, and its SPIs, one after the other. */
  uint64_t size;
  unsigned n_spis;
  FdtIrqTrigger trigger;
  bool apb_clock; /* its node names FDT_PHANDLE_APB_CLOCK */
  Device *(*make)(const DeviceParts *parts, GError **error);

  /* Or a virtio device. */
  struct VirtioDevice *(*make_virtio)(const DeviceParts *parts, GError **error);
  bool always_mmio; /* on virtio-mmio, whatever transport the others have */

  DeviceBoot (*boot)(const void *asked); /* of what firmware may boot from; optional */

  bool holds_code;                                 /* the guest runs code in it: it is connected to shortcuts wherever there are any */
  bool shares_memory;                              /* another process works on guest memory */
  bool (*may_share_memory)(const void *asked);     /* the same, of one of which this is asked; optional */
  unsigned descriptors;                            /* that it has open at most, beside those that every virtio device has */
  unsigned (*more_descriptors)(const void *asked); /* and what is asked for adds to them; optional */
  /* Presses or releases the machine's power button, in DEVICE or VirtioDevice DEVICE. Any thread. Optional. */
  void (*set_power_button)(void *device, bool pressed);
} DeviceKind;
