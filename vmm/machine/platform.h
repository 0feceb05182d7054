/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The platform: the devices a Board plans, made, wired and placed on a bus, with the device tree that describes them.
 * What it is wired to (interrupt lines, messages, doorbells, clock, console, memory) is handed in: KVM's in a machine,
 * fakes in a test.
 */
#pragma once

#include "devices/device-watch.h"
#include "devices/virtio/virtio.h"
#include "fdt/smbios.h"
#include "vmm/boot/kernel.h"
#include "vmm/config/board.h"

typedef struct {
  DeviceParts parts; /* what is the same for all devices */
  Doorbells *doorbells;
  Shortcuts *shortcuts;     /* NULL: every access comes to its device */
  bool for_code_alone;      /* they are for devices that hold code, which has no other way to the guest */
  DeviceWatch *watch;       /* NULL: nobody counts what devices do */
  const IoThreads *threads; /* how those of virtio devices are started; or NULL */
  bool pmu;                 /* the CPUs have a PMUv3 */
  bool el2_vhe;             /* and with it the virtual timer of FEAT_VHE */
  bool el2;                 /* they have EL2: HVC does not leave the guest, SMC does */
  uint64_t clidr;           /* CLIDR_EL1 of the CPUs, 0: not known */
} PlatformWiring;

typedef struct {
  const BoardDevice *plan;
  Device *device;       /* at plan->slot, owned; NULL: a PCI function, which its host owns */
  VirtioDevice *virtio; /* the device, or behind it; or NULL */
} PlatformDevice;

typedef struct {
  const Board *board;
  Bus *bus;
  GArray *devices;  /* of PlatformDevice, in the board's order */
  GPtrArray *lines; /* of WatchedLine */
  PlatformWiring *wiring;
} Platform;

/* Opens disks too. BOARD and WIRING must outlive the platform. */
Platform *platform_new(const Board *board, PlatformWiring *wiring, GError **error);
void platform_free(Platform *platform); /* flushes and closes disks; takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Platform, platform_free)

/* The first device of KIND: a VirtioDevice, or else a Device. NULL: there is none. */
void *platform_find(const Platform *platform, const DeviceKind *kind);

/* Whether a device may come to have threads. */
bool platform_has_threads(const Platform *platform);

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

/* The ACPI tables of the machine, finished, and what SMBIOS says of it. */
AcpiWriter *platform_describe_acpi(const Platform *platform);
/* Those tables as text, as acpidump(8) writes it; free with g_free. */
char *platform_dump_acpi(const Platform *platform);
Smbios platform_smbios(const Platform *platform);

/*
 * Both for a firmware that takes them from a firmware configuration device: files, by the names that it looks for. They
 * may change from one boot to the next. The bytes are the caller's.
 */
#define PLATFORM_TABLE_FILES 5
typedef struct {
  const char *name;
  GBytes *bytes;
} PlatformTableFile;
void platform_table_files(const Platform *platform, PlatformTableFile files[PLATFORM_TABLE_FILES]);

/*
 * The device tree of the machine with its kernel placed as PLACEMENT says (an initrd of size 0 is not mentioned). Where
 * the guest is to learn of the machine by ACPI alone, there is nothing in it but how to boot.
 */
GBytes *platform_describe(const Platform *platform, const BootPlacement *placement, const BootSeed *seed, GError **error);
