/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of devices/pci/ share and nobody else sees: the host bridge itself, and its view of a function.
 * Everything here is under the host's lock, unless it says otherwise.
 */
#pragma once

#include "devices/pci/pci.h"
#include "devices/register-page.h"

/*
 * Registers of a type 0 header: PCI Local Bus Specification 3.0, 6.1, in the names of PCI Express Base Specification
 * 5.0, 7.5.1.
 */
enum {
  PCI_VENDOR_ID = 0x00,
  PCI_DEVICE_ID = 0x02,
  PCI_COMMAND = 0x04,
  PCI_STATUS = 0x06,
  PCI_REVISION_ID = 0x08,
  PCI_CLASS_CODE = 0x09,
  PCI_CACHE_LINE_SIZE = 0x0c,
  PCI_HEADER_TYPE = 0x0e,
  PCI_BAR0 = 0x10,
  PCI_SUBSYSTEM_VENDOR_ID = 0x2c,
  PCI_SUBSYSTEM_ID = 0x2e,
  PCI_CAPABILITIES_POINTER = 0x34,
  PCI_INTERRUPT_LINE = 0x3c,
  PCI_INTERRUPT_PIN = 0x3d,
  PCI_HEADER_END = 0x40,
};

#define PCI_COMMAND_MEMORY            0x0002
#define PCI_COMMAND_BUS_MASTER        0x0004
#define PCI_COMMAND_INTERRUPT_DISABLE 0x0400
#define PCI_STATUS_INTERRUPT          0x08
#define PCI_STATUS_CAPABILITIES       0x10

#define PCI_N_PINS 4

/* ECAM address: bus << 20 | device << 15 | function << 12 | register. */
#define ECAM_DEVICE_SHIFT   15
#define ECAM_FUNCTION_SHIFT 12
#define ECAM_FUNCTION_MASK  0x7
#define ECAM_REGISTER_MASK  0xfff
#define ECAM_FUNCTION_SIZE  0x1000

/* A memory window: a part of the host on the bus. */
typedef struct {
  Device device;
  PciHost *host;
  uint64_t base;
} PciWindow;

/* A BAR that is decoded now. */
typedef struct {
  uint64_t address, size;
  PciFunction *function;
  unsigned bar;
} PciMapping;

struct PciHost {
  Device ecam; /* its own lock is the host's */
  PciWindows windows;
  MsiController *msi;        /* or NULL */
  IrqLine *intx[PCI_N_PINS]; /* level lines */
  PciWindow window32, window64;
  PciFunction *functions[PCI_MAX_DEVICES];
  RegisterPage page;     /* the ECAM window: what reads of it return, all functions' configuration space and all ones elsewhere */
  unsigned reads_wanted; /* functions that want to hear of reads: then it is closed */
  /* In the order of functions and BARs, so that of BARs that overlap always the same one answers. */
  PciMapping mappings[PCI_MAX_DEVICES * PCI_N_BARS];
  unsigned n_mappings;
  GMutex intx_lock;                    /* innermost; guards the wires and each function's INTx state */
  unsigned intx_asserting[PCI_N_PINS]; /* functions that pull this wire */
};

/* A write to the function's configuration space; OFFSET below PCI_CONFIG_SIZE, SIZE 1, 2 or 4, aligned. */
void pci_function_config_write(PciFunction *function, unsigned offset, unsigned size, uint32_t value);
/* Name of a register, or NULL. No lock. */
const char *pci_function_config_name(unsigned offset);
/* BARs, the function itself and its configuration space back to power-on. */
void pci_function_reset(PciFunction *function);

/* The ECAM window as memory, of PCI_ECAM_BUS_SIZE bytes: nothing is there. */
bool pci_ecam_init(RegisterPage *page, GError **error);
/* Moves the function's configuration space there. */
void pci_ecam_plug(RegisterPage *page, PciFunction *function);
/* Opens it to the guest, and defers writes that change nothing, of the functions there are. */
void pci_ecam_connect(PciHost *host, uint64_t address, Shortcuts *shortcuts);

/*
 * Follows the BAR registers and Command.Memory Space: unmaps what is no longer decoded where it was, maps what is now.
 */
void pci_bars_update(PciFunction *function);
void pci_bars_unmap(PciFunction *function);
/* The BAR decoded at ADDRESS, or NULL. */
const PciMapping *pci_bar_at(const PciHost *host, uint64_t address);

/* The host's node. */
void pci_host_describe(const Device *device, const DeviceSlot *slot, FdtWriter *fdt);
void pci_host_describe_acpi(const Device *device, const DeviceSlot *slot, AcpiWriter *acpi);
