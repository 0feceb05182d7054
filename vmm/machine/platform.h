/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The platform: the devices a Board plans, made, wired and placed on a bus, with the device tree that describes them.
 * What it is wired to (interrupt lines, messages, doorbells, clock, console, memory) is handed in: KVM's in a machine,
 * fakes in a test.
 */
#pragma once

#include "devices/bus.h"
#include "devices/char-backend.h"
#include "devices/clock.h"
#include "devices/device-watch.h"
#include "devices/guest-memory.h"
#include "devices/hypercall-doorbell.h"
#include "devices/interrupt.h"
#include "devices/virtio/console-ports.h"
#include "devices/virtio/virtio.h"
#include "vmm/boot/kernel.h"
#include "vmm/config/board.h"

typedef struct PlatformWiring PlatformWiring;
struct PlatformWiring {
  /* The line of SPI, whose trigger is TRIGGER; owned by the wiring. */
  IrqLine *(*irq_line)(PlatformWiring *wiring, uint32_t spi, FdtIrqTrigger trigger);
  MsiController *msi;
  Doorbells *doorbells;
  Shortcuts *shortcuts; /* NULL: every access comes to its device */
  Clock *clock;
  CharBackend *console;           /* NULL: output vanishes */
  DeviceWatch *watch;             /* NULL: nobody counts what devices do */
  const VirtioConsolePort *ports; /* of BOARD_VIRTIO_CONSOLE_PORTS */
  unsigned n_ports;
  const VirtioConsolePortsOps *ports_ops; /* or NULL, called with ports_opaque */
  void *ports_opaque;
  const GuestMemory *memory;
  bool pmu;       /* the CPUs have a PMUv3 */
  bool el2_vhe;   /* and with it the virtual timer of FEAT_VHE */
  bool el2;       /* they have EL2: HVC does not leave the guest, SMC does */
  uint64_t clidr; /* CLIDR_EL1 of the CPUs, 0: not known */
  /* Answers calls by the doorbell page; OPAQUE is the wiring itself. */
  HypercallDoorbellCall hypercall;
  HypercallDoorbellInfo hypercall_info;
};

typedef struct {
  const Board *board;
  Bus *bus;
  GPtrArray *devices;           /* of Device, owned: those with a slot of their own, in the board's order */
  GArray *slots;                /* of DeviceSlot, parallel to devices */
  GPtrArray *lines;             /* of WatchedLine */
  Device *gpio;                 /* PL061, or NULL */
  VirtioDevice *virtio_console; /* or NULL */
  VirtioDevice *virtio_ports;   /* or NULL */
  VirtioDevice *virtio_input;   /* or NULL */
  PlatformWiring *wiring;
} Platform;

/* Opens disks too. BOARD and WIRING must outlive the platform. */
Platform *platform_new(const Board *board, PlatformWiring *wiring, GError **error);
void platform_free(Platform *platform); /* flushes and closes disks; takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Platform, platform_free)

/* Each power button that the machine has is pressed or released; false: it has none. Any thread. */
bool platform_set_power_button(const Platform *platform, bool pressed);

/* Every device back to power-on, or quiet, or going again. No vCPU runs. */
void platform_reset(Platform *platform);
void platform_pause(Platform *platform);
void platform_resume(Platform *platform);

/* Random bytes that the kernel mixes into its entropy pool and its address layout: chosen/rng-seed and kaslr-seed. */
typedef struct {
  uint8_t rng[32];
  uint64_t kaslr;
} BootSeed;

/* The device tree of the machine with its kernel placed as PLACEMENT says (an initrd of size 0 is not mentioned). */
GBytes *platform_describe(const Platform *platform, const BootPlacement *placement, const BootSeed *seed, GError **error);
