/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PCI: a generic ECAM host bridge with one bus (PCI Express Base Specification 5.0, chapter 7.2.2; Linux binding
 * pci-host-ecam-generic), its functions, their configuration space, base address registers and MSI-X.
 *
 * The bridge is three devices on the bus (the ECAM window and two memory windows) that share one lock: every
 * configuration and BAR access of every function holds it. Interrupts are sent without it, from any thread: MSI-X and
 * the INTx wires have locks of their own, innermost.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "devices/device-kind.h"

#define PCI_MAX_DEVICES   32
#define PCI_CONFIG_SIZE   256 /* what we implement of the 4096 bytes; the rest reads as zeros */
#define PCI_ECAM_BUS_SIZE 0x100000
#define PCI_N_BARS        6

typedef struct PciHost PciHost;
typedef struct PciFunction PciFunction;

/* The memory windows of a host, in bytes: non-prefetchable below 4 GiB, and prefetchable, which may have size 0. */
typedef struct {
  uint64_t base32, size32, base64, size64;
  uint64_t base_io, size_io; /* where I/O port 0 is; no function of ours has ports, but EDK2 takes no host without them */
} PciWindows;

/*
 * A host, of PciWindows; it puts these on the bus. Its SPIs are those of INTA .. INTD, swizzled by device number.
 * Without an MSI controller no MSI-X is offered, and no msi-map written. reset resets every function, free frees them.
 * NULL: this host has no memory for the ECAM window, or does not let eret have it.
 */
extern const DeviceKind pci_host_kind;

/*
 * Plugs FUNCTION (takes it, also on failure) into HOST as function 0 of device SLOT (0..31). False when there is no
 * such place or it is taken.
 */
bool pci_host_add(Device *host, unsigned slot, PciFunction *function);
PciFunction *pci_host_function(Device *host, unsigned slot);

typedef struct {
  uint64_t (*bar_read)(PciFunction *function, unsigned bar, uint64_t offset, unsigned size);
  void (*bar_write)(PciFunction *function, unsigned bar, uint64_t offset, unsigned size, uint64_t value);
  /*
   * BAR is now decoded at ADDRESS (a guest physical address), or no longer (before it moves or memory decoding ends).
   * Optional.
   */
  void (*bar_mapped)(PciFunction *function, unsigned bar, uint64_t address);
  void (*bar_unmapped)(PciFunction *function, unsigned bar, uint64_t address);
  void (*config_written)(PciFunction *function, unsigned offset, unsigned size); /* after an ordinary write; optional */
  /*
   * Before a read: may refresh config bytes. Only called between pci_function_want_reads(true) and (false). Optional.
   */
  void (*config_read)(PciFunction *function, unsigned offset, unsigned size);
  const char *(*bar_register_name)(const PciFunction *function, unsigned bar, uint64_t offset); /* optional */
  void (*plugged)(PciFunction *function); /* function->host, device number and MSI controller are known; optional */
  void (*reset)(PciFunction *function);
  void (*pause)(PciFunction *function);  /* optional */
  void (*resume)(PciFunction *function); /* optional */
  void (*free)(PciFunction *function);
} PciFunctionOps;

typedef struct MsiX MsiX; /* devices/pci/msix.h */

struct PciFunction {
  const PciFunctionOps *ops;
  char *name;
  PciHost *host; /* NULL until plugged */
  unsigned slot;
  uint8_t own_config[PCI_CONFIG_SIZE]; /* config, until it is plugged */
  uint8_t *config;                     /* guest-visible; in the host's ECAM page, which the guest may read by itself */
  uint8_t writable[PCI_CONFIG_SIZE];   /* bits the guest may change */
  uint8_t write_one_to_clear[PCI_CONFIG_SIZE];
  struct {
    uint64_t size; /* bytes, a power of two; 0: not implemented */
    bool is_64bit;
    bool mapped;
    uint64_t address; /* while mapped */
  } bars[PCI_N_BARS];
  unsigned capability_end, last_capability; /* where the next one goes; the latest, 0: none */
  MsiX *msix;                               /* NULL: none; the function's to free */
  bool reads_wanted;
  bool intx_level, intx_asserted; /* what the function wants; what its wire shows. The host's INTx lock */
};

/*
 * For functions: the base part. CLASS_CODE is 24 bits: base class, subclass, programming interface. INTERRUPT_PIN 0
 * (none) or 1 (INTA).
 */
void pci_function_init(PciFunction *function, const PciFunctionOps *ops, const char *name, uint16_t vendor, uint16_t device,
                       uint8_t revision, uint32_t class_code, uint16_t subsystem_vendor, uint16_t subsystem, uint8_t interrupt_pin);
void pci_function_clear(PciFunction *function);
/* Whether config_read is to be called: reads of any function's configuration space are then no shortcut any more. */
void pci_function_want_reads(PciFunction *function, bool want);
/* The host's, for shortcuts into BARs; NULL: it has none. */
Shortcuts *pci_function_shortcuts(const PciFunction *function);
/*
 * SIZE is a power of two of at least 64 KiB, so that a BAR never shares a host page with another function's: a doorbell
 * or a table may then be mapped or trapped on its own.
 */
void pci_function_add_bar(PciFunction *function, unsigned bar, uint64_t size, bool is_64bit, bool prefetchable);
/*
 * Appends a capability with ID and SIZE bytes (header included) and returns its offset; its bytes are zero and
 * read-only. At the latest in `plugged`, where it is known whether the host takes messages.
 */
unsigned pci_function_add_capability(PciFunction *function, uint8_t id, unsigned size);

/* Little-endian fields of the configuration space, for the function itself: no write mask, no side effect. */
uint32_t pci_config_get(const PciFunction *function, unsigned offset, unsigned size);
void pci_config_set(PciFunction *function, unsigned offset, unsigned size, uint32_t value);
/* Makes bits of a field the guest's to write. */
void pci_config_allow(PciFunction *function, unsigned offset, unsigned size, uint32_t mask);

/* The host's MSI controller, or NULL: none, or not plugged. */
MsiController *pci_function_msi(const PciFunction *function);
/* The requester ID of a plugged function: bus << 8 | devfn. */
uint32_t pci_function_id(const PciFunction *function);
/*
 * Drives INTx, unless Command.Interrupt Disable or MSI-X is on; Status.Interrupt Status follows. Any thread, with or
 * without the host's lock.
 */
void pci_function_set_intx(PciFunction *function, bool level);
