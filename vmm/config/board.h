/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The board: which devices this machine has and where they sit. A plan only, made from a Config and the GIC version:
 * the same input gives the same board, and nothing of it needs KVM.
 */
#pragma once

#include "devices/device-kind.h"
#include "devices/pci/pci.h"
#include "vmm/config/config.h"
#include "vmm/config/layout.h"

#define DECLARE(KIND, PLACE, WHEN) extern const DeviceKind KIND;
LAYOUT_DEVICES(DECLARE)
#undef DECLARE

typedef struct {
  const DeviceKind *kind;
  char *name;        /* "virtio-blk0" */
  unsigned index;    /* among those of its kind */
  DeviceSlot slot;   /* unless it is a PCI function */
  int pci_slot;      /* device number on the PCI bus, or -1 */
  const void *asked; /* see DeviceParts */
} BoardDevice;

typedef struct {
  const Config *config; /* must outlive the board */
  GicVersion gic;       /* GIC_V2 or GIC_V3 */
  unsigned cpus;
  AddressRange ram;
  AddressRange redistributors[2]; /* GICv3; the second has size 0 where the first is enough */
  PciWindows pci;                 /* sizes 0 without PCI */
  uint64_t end;                   /* one past the highest address in use */
  unsigned ipa_bits;              /* what the board needs: at least 32 (KVM's minimum) */
  GPtrArray *devices;             /* of BoardDevice, in the order of creation */
  unsigned n_pci, n_mmio;         /* virtio devices on each transport */
} Board;

typedef enum { BOARD_ERROR_TOO_MANY, BOARD_ERROR_ADDRESSES } BoardError;
#define BOARD_ERROR (board_error_quark())
GQuark board_error_quark(void);

/* GIC is GIC_V2 or GIC_V3: what `auto` stands for is the caller's to decide. */
Board *board_new(const Config *config, GicVersion gic, GError **error);
void board_free(Board *board);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Board, board_free)

/* The first device of KIND, or NULL. */
const BoardDevice *board_find(const Board *board, const DeviceKind *kind);
/* The descriptors that a machine on this board has open at most, whatever its guest does. */
unsigned board_descriptors(const Board *board);
/*
 * Whether this process can open what a command of a machine of CONFIG needs, with that machine; to be asked before it
 * opens anything, so that the limit that the error names is enough.
 */
bool board_descriptors_suffice(const Config *config, GError **error);
/* Whether the guest may run code in a device. */
bool board_holds_code(const Board *board);
/* Whether another process works on guest memory. */
bool board_shares_memory(const Board *board);
/*
 * In which order firmware is to boot from devices, as the item "bootorder" of the firmware configuration device says
 * it (QEMU: docs/specs/fw_cfg.rst, hw/core/fw-path-provider.c): paths as Open Firmware has them, a line each, the last
 * one without a line's end. NULL: no device is asked to have a place in it. Free with g_free.
 */
char *board_boot_order(const Board *board);
/* The same for people: the devices' names, one after the other; NULL as there. Free with g_free. */
char *board_boot_names(const Board *board);
/*
 * The plan for people: memory, interrupt controller, devices with addresses and interrupts; a text of several lines.
 * BOOTARGS is the command line that the guest finds. Free with g_free.
 */
char *board_print(const Board *board, const char *bootargs);

/*
 * The MPIDR_EL1 affinity that KVM gives vCPU INDEX: 16 to a cluster, so that one SGI target list reaches a whole
 * cluster.
 */
uint64_t board_mpidr(unsigned index);
