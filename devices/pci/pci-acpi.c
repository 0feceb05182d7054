/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ACPI objects of the host bridge: PCI Firmware Specification 3.3, 4.1 (MCFG and who claims its range), 4.5 (_OSC);
 * ACPI Specification 6.3, 6.2.13 (_PRT), 6.5.5 (_BBN). Read-only, no lock: written before the guest runs.
 */
#include "devices/pci/pci-internal.h"
#include "fdt/acpi/acpi-tables.h"

#define SEGMENT       0
#define REQUESTER_IDS 0x100 /* of bus 0 */

/*
 * _OSC: what the machine leaves to the operating system, which is all that is done by the PCI bus's own means.
 *
 * Hot-plug is among it, though the machine has no slot yet: its functions are part of the root complex and stay where
 * they are. A slot will be one of a root port, whose registers tell of what comes and goes, so that there need be no
 * ACPI objects for it (_EJ0, a Notify for each slot, registers of what has changed): the operating system's own driver
 * serves it, the same one with a device tree. A standard hot-plug controller (bit 1), which is for conventional PCI,
 * there will not be, nor latency tolerance reporting (bit 5).
 */
enum { OSC_HOT_PLUG = 1 << 0, OSC_PME = 1 << 2, OSC_AER = 1 << 3, OSC_CAPABILITY = 1 << 4 };
enum { OSC_UNRECOGNIZED_UUID = 1 << 2, OSC_UNRECOGNIZED_REVISION = 1 << 3, OSC_MASKED = 1 << 4 };

static void describe_windows(Aml *aml, const PciWindows *windows) {
  aml_name(aml, "_CRS");
  aml_begin_resources(aml);
  aml_bus_numbers(aml, 0, 0);
  aml_memory32_window(aml, (uint32_t)windows->base32, (uint32_t)windows->size32);
  if (windows->size64)
    aml_memory64_window(aml, windows->base64, windows->size64, true);
  if (windows->size_io)
    aml_io_window(aml, windows->base_io, (uint32_t)windows->size_io);
  aml_end(aml);
}

/* Each pin of each device: its address (function: any), the pin, no link device, the GSI. */
static void describe_interrupts(Aml *aml, uint32_t first_gsi) {
  aml_name(aml, "_PRT");
  aml_begin_package(aml, PCI_MAX_DEVICES * PCI_N_PINS);
  for (unsigned device = 0; device < PCI_MAX_DEVICES; device++)
    for (unsigned pin = 0; pin < PCI_N_PINS; pin++) {
      aml_begin_package(aml, 4);
      aml_integer(aml, device << 16 | 0xffff);
      aml_integer(aml, pin);
      aml_integer(aml, 0);
      aml_integer(aml, first_gsi + (device + pin) % PCI_N_PINS);
      aml_end(aml);
    }
  aml_end(aml);
}

static void create_field(Aml *aml, unsigned offset, const char *name) {
  aml_op(aml, AML_CREATE_DWORD_FIELD);
  aml_arg(aml, 3);
  aml_integer(aml, offset);
  aml_path(aml, name);
}

/* NAME |= BITS */
static void or_into(Aml *aml, const char *name, uint32_t bits) {
  aml_op(aml, AML_OR);
  aml_path(aml, name);
  aml_integer(aml, bits);
  aml_path(aml, name);
}

/*
 * The capabilities buffer (Arg3) is status, support, control: what is asked for is granted as far as it can be, and
 * said so where it is less.
 */
static void describe_osc(Aml *aml) {
  aml_begin_method(aml, "_OSC", 4);
  create_field(aml, 0, "CDW1");
  aml_begin_if(aml);
  aml_op(aml, AML_LEQUAL);
  aml_arg(aml, 0);
  aml_uuid(aml, "33db4d5b-1ff7-401c-9657-7441c03dd766");
  create_field(aml, 8, "CDW3");
  aml_op(aml, AML_AND);
  aml_path(aml, "CDW3");
  aml_integer(aml, OSC_HOT_PLUG | OSC_PME | OSC_AER | OSC_CAPABILITY);
  aml_local(aml, 0);
  aml_begin_if(aml);
  aml_op(aml, AML_LNOT);
  aml_op(aml, AML_LEQUAL);
  aml_arg(aml, 1);
  aml_integer(aml, 1);
  or_into(aml, "CDW1", OSC_UNRECOGNIZED_REVISION);
  aml_end(aml);
  aml_begin_if(aml);
  aml_op(aml, AML_LNOT);
  aml_op(aml, AML_LEQUAL);
  aml_path(aml, "CDW3");
  aml_local(aml, 0);
  or_into(aml, "CDW1", OSC_MASKED);
  aml_end(aml);
  aml_op(aml, AML_STORE);
  aml_local(aml, 0);
  aml_path(aml, "CDW3");
  aml_end(aml);
  aml_begin_else(aml);
  or_into(aml, "CDW1", OSC_UNRECOGNIZED_UUID);
  aml_end(aml);
  aml_op(aml, AML_RETURN);
  aml_arg(aml, 3);
  aml_end(aml);
}

/* The range of the MCFG belongs to somebody, who is not the bridge itself. */
static void describe_ecam(Aml *aml, const DeviceSlot *slot) {
  aml_begin_device(aml, "ECAM");
  aml_name_eisa_id(aml, "_HID", "PNP0C02");
  aml_name_integer(aml, "_UID", 0);
  aml_registers(aml, slot->base, slot->size, 0, FDT_IRQ_LEVEL_HIGH);
  aml_end(aml);
}

void pci_host_describe_acpi(const Device *device, const DeviceSlot *slot, AcpiWriter *acpi) {
  const PciHost *host = (const PciHost *)device;
  Aml *aml = acpi->aml;

  aml_begin_device(aml, "PCI0");
  aml_name_eisa_id(aml, "_HID", "PNP0A08");
  aml_name_eisa_id(aml, "_CID", "PNP0A03");
  aml_name_integer(aml, "_UID", 0);
  aml_name_integer(aml, "_SEG", SEGMENT);
  aml_name_integer(aml, "_BBN", 0);
  aml_name_integer(aml, "_CCA", 1);
  describe_windows(aml, &host->windows);
  describe_interrupts(aml, device_slot_gsi(slot));
  describe_osc(aml);
  aml_end(aml);
  describe_ecam(aml, slot);
  acpi_write_mcfg(acpi, slot->base, SEGMENT, 0, 0);
  if (host->msi)
    acpi_write_iort(acpi, SEGMENT, REQUESTER_IDS);
}
