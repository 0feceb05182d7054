/* SPDX-License-Identifier: Apache-2.0 */
/* A PCI host on a bus with fake wires and messages, and a guest's way to its configuration space. Tests only. */
#pragma once

#include "devices/bus.h"
#include "devices/pci/pci.h"
#include "tests/unit/devices/virtio/fake-driver.h"
#include "tests/unit/fake-shortcuts.h"

#define ECAM          UINT64_C(0x3f000000)
#define WINDOW32      UINT64_C(0x10000000)
#define WINDOW32_SIZE UINT64_C(0x2eff0000)
#define WINDOW64      (UINT64_C(40) << 30)
#define WINDOW64_SIZE (UINT64_C(8) << 30)
#define FIRST_SPI     3

/* Registers of the header, by offset. */
enum { CFG_COMMAND = 0x04, CFG_STATUS = 0x06, CFG_BAR0 = 0x10, CFG_CAPABILITIES = 0x34, CFG_INTERRUPT_LINE = 0x3c };
enum { COMMAND_MEMORY = 2, COMMAND_MASTER = 4, COMMAND_INTX_DISABLE = 0x400 };

typedef struct {
  IrqLines irqs; /* first */
  FakeLine lines[4];
  FakeMsi msi;
  Device *host;
  Bus *bus;
} FakePci;

static inline IrqLine *fake_pci_line(IrqLines *irqs, uint32_t spi, FdtIrqTrigger trigger) {
  g_assert_cmpint(trigger, ==, FDT_IRQ_LEVEL_HIGH);
  g_assert_cmpuint(spi - FIRST_SPI, <, 4);
  return &((FakePci *)irqs)->lines[spi - FIRST_SPI].line;
}

static inline void fake_pci_init(FakePci *pci, bool with_msi, bool with_window64) {
  const DeviceSlot ecam = {.base = ECAM, .size = PCI_ECAM_BUS_SIZE, .spi = FIRST_SPI};
  const PciWindows windows = {
      .base32 = WINDOW32,
      .size32 = WINDOW32_SIZE,
      .base64 = with_window64 ? WINDOW64 : 0,
      .size64 = with_window64 ? WINDOW64_SIZE : 0,
  };

  pci->irqs.line = fake_pci_line;
  for (unsigned i = 0; i < 4; i++)
    pci->lines[i] = (FakeLine)FAKE_LINE;
  pci->msi = (FakeMsi)FAKE_MSI;
  pci->bus = bus_new();
  const DeviceParts parts = {
      .asked = &windows, .slot = &ecam, .irqs = &pci->irqs, .msi = with_msi ? &pci->msi.controller : NULL, .bus = pci->bus};
  pci->host = pci_host_kind.make(&parts, NULL);
  g_assert_nonnull(pci->host);
  g_assert_true(bus_add(pci->bus, &ecam, pci->host, NULL));
  bus_seal(pci->bus);
}

static inline void fake_pci_clear(FakePci *pci) {
  bus_free(pci->bus);
  device_free(pci->host);
  for (unsigned i = 0; i < pci->msi.n; i++)
    g_assert_false(pci->msi.routes[i].used); /* all given back */
}

static inline uint64_t cfg_address(unsigned slot, unsigned reg) {
  return ECAM + (uint64_t)slot * 0x8000 + reg;
}

static inline uint32_t cfg_read(FakePci *pci, unsigned slot, unsigned reg, unsigned size) {
  return (uint32_t)bus_read(pci->bus, cfg_address(slot, reg), size);
}

static inline void cfg_write(FakePci *pci, unsigned slot, unsigned reg, unsigned size, uint32_t value) {
  bus_write(pci->bus, cfg_address(slot, reg), size, value);
}

/* The first capability with ID after AFTER (0: from the start); 0: none. Bounded, as a wrong list could be a ring. */
static inline unsigned cfg_find_capability(FakePci *pci, unsigned slot, uint8_t id, unsigned after) {
  unsigned at = cfg_read(pci, slot, after ? after + 1 : CFG_CAPABILITIES, 1);
  for (unsigned i = 0; at && i < 48; i++) {
    g_assert_cmpuint(at % 4, ==, 0);
    g_assert_cmpuint(at, >=, 0x40);
    if (cfg_read(pci, slot, at, 1) == id)
      return at;
    at = cfg_read(pci, slot, at + 1, 1);
  }
  return 0;
}
