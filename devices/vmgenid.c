/* SPDX-License-Identifier: Apache-2.0 */
/*
 * VMGenID. Microsoft, "Virtual Machine Generation ID"; QEMU: docs/specs/vmgenid.rst; Linux: drivers/virt/vmgenid.c: 16
 * bytes of memory that are never the same for two machines of one origin, and an interrupt when they change. A reboot
 * of the guest changes nothing.
 *
 * Locks: the device's lock guards the bytes, which the guest loads by itself; a change is of no single copy, and is
 * made before the interrupt.
 */
#include "devices/vmgenid.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#include "devices/register-page.h"
#include "fdt/bytes.h"

typedef struct {
  Device device;
  IrqLine *irq;
  RegisterPage page;
} VmGenId;

bool vmgenid_is_valid(const char *text) {
  return strcmp(text, VMGENID_AUTO) == 0 || g_uuid_string_is_valid(text);
}

static void store(VmGenId *generation, const uint8_t id[VMGENID_ID_SIZE]) {
  uint64_t halves[2];

  memcpy(halves, id, sizeof halves);
  register_page_set(&generation->page, 0, 8, GUINT64_FROM_LE(halves[0]));
  register_page_set(&generation->page, 8, 8, GUINT64_FROM_LE(halves[1]));
}

void vmgenid_change(Device *device, const uint8_t id[VMGENID_ID_SIZE]) {
  VmGenId *generation = (VmGenId *)device;

  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(device->lock);
  store(generation, id);
  irq_line_set(generation->irq, true);
}

static uint64_t vmgenid_read(Device *device, uint64_t offset, unsigned size) {
  return register_page_get(&((VmGenId *)device)->page, offset, size);
}

static void vmgenid_write(Device *device, uint64_t offset, unsigned size, uint64_t value) {
}

static const char *vmgenid_register_name(const Device *device, uint64_t offset) {
  return offset < VMGENID_ID_SIZE ? "GUID" : NULL;
}

/* Linux: bindings/rng/microsoft,vmgenid.yaml. */
static void vmgenid_describe(const Device *device, const DeviceSlot *slot, FdtWriter *fdt) {
  fdt_writer_begin_at(fdt, "vmgenid", slot->base);
  fdt_writer_string(fdt, "compatible", "microsoft,vmgenid");
  fdt_writer_reg(fdt, slot->base, VMGENID_ID_SIZE);
  fdt_writer_interrupt(fdt, FDT_IRQ_SPI, slot->spi, slot->trigger);
  fdt_writer_end(fdt);
}

/* The address is in ADDR, its lower half first. */
static void vmgenid_describe_acpi(const Device *device, const DeviceSlot *slot, AcpiWriter *acpi) {
  Aml *aml = acpi->aml;

  aml_begin_device(aml, "VGEN");
  aml_name_string(aml, "_HID", "ERET0001"); /* the vendor's: drivers go by the next */
  aml_name_string(aml, "_CID", "VM_Gen_Counter");
  aml_name_string(aml, "_DDN", "VM_Gen_Counter");
  aml_name_integer(aml, "_UID", 0);
  aml_name(aml, "ADDR");
  aml_begin_package(aml, 2);
  aml_integer(aml, (uint32_t)slot->base);
  aml_integer(aml, slot->base >> 32);
  aml_end(aml);
  aml_end(aml);
  aml_event_device(aml, "GED0", 0, device_slot_gsi(slot), slot->trigger, "\\_SB.VGEN");
}

static void vmgenid_connect(Device *device, const DeviceSlot *slot, Shortcuts *shortcuts) {
  VmGenId *generation = (VmGenId *)device;

  register_page_connect(&generation->page, shortcuts, slot->base);
  register_page_open(&generation->page);
}

static void vmgenid_free(Device *device) {
  register_page_clear(&((VmGenId *)device)->page);
  device_clear(device);
  g_free(device);
}

static const DeviceOps vmgenid_ops = {
    .access_sizes = ACCESS_ANY,
    .read = vmgenid_read,
    .write = vmgenid_write,
    .register_name = vmgenid_register_name,
    .describe = vmgenid_describe,
    .describe_acpi = vmgenid_describe_acpi,
    .connect = vmgenid_connect,
    .free = vmgenid_free,
};

static Device *vmgenid_make(const DeviceParts *parts, GError **error) {
  const VmGenIdConfig *asked = parts->asked;
  uint8_t id[VMGENID_ID_SIZE];

  if (strcmp(asked->guid, VMGENID_AUTO) != 0) {
    bytes_parse_guid(asked->guid, id);
  } else if (getrandom(id, sizeof id, 0) != sizeof id) {
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "the host has no random numbers for --vmgenid: %s", g_strerror(errno));
    return NULL;
  }
  VmGenId *generation = device_new(sizeof *generation, &vmgenid_ops, "vmgenid");
  generation->irq = parts->irq;
  register_page_init(&generation->page, VMGENID_SIZE);
  store(generation, id);
  return &generation->device;
}

static char *vmgenid_print_asked(const void *asked) {
  return g_strdup(((const VmGenIdConfig *)asked)->guid);
}

const DeviceKind vmgenid_kind = {
    .name = "vmgenid",
    .note = "generation",
    .print_asked = vmgenid_print_asked,
    .size = VMGENID_SIZE,
    .n_spis = 1,
    .trigger = FDT_IRQ_EDGE_RISING,
    .make = vmgenid_make,
};
