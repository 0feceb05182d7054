/* SPDX-License-Identifier: Apache-2.0 */
/* Resource descriptors (ACPI 6.3, 6.4), and devices that are put together of them. */
#include <string.h>

#include "fdt/acpi/aml-internal.h"
#include "fdt/bytes.h"

/* Large descriptors: 6.4.3. Their length does not count tag and length. */
enum {
  TAG_MEMORY32_FIXED = 0x86,
  TAG_DWORD_ADDRESS = 0x87,
  TAG_WORD_ADDRESS = 0x88,
  TAG_INTERRUPT = 0x89,
  TAG_QWORD_ADDRESS = 0x8a,
  TAG_GPIO = 0x8c
};

/* Address space descriptors: 6.4.3.5. */
enum { SPACE_MEMORY = 0, SPACE_IO = 1, SPACE_BUS = 2 };
#define SPACE_FIXED         0x0c /* both ends are; the bridge produces the range */
#define MEMORY_READ_WRITE   0x01
#define MEMORY_PREFETCHABLE 0x06
#define IO_ENTIRE_RANGE     0x03 /* not the addresses of ISA alone */
#define IO_FROM_MEMORY      0x10 /* _TTP: above the bridge it is memory; dense, so that a port is a byte of it */

#define INTERRUPT_CONSUMER   0x01
#define INTERRUPT_EDGE       0x02
#define INTERRUPT_ACTIVE_LOW 0x04

static GByteArray *large(Aml *aml, uint8_t tag, uint16_t length) {
  GByteArray *bytes = aml_open_bytes(aml);

  bytes_u8(bytes, tag);
  bytes_u16(bytes, length);
  return bytes;
}

void aml_memory32_fixed(Aml *aml, uint32_t base, uint32_t size) {
  GByteArray *bytes = large(aml, TAG_MEMORY32_FIXED, 9);

  bytes_u8(bytes, MEMORY_READ_WRITE);
  bytes_u32(bytes, base);
  bytes_u32(bytes, size);
}

void aml_interrupt(Aml *aml, uint32_t gsi, FdtIrqTrigger trigger) {
  GByteArray *bytes = large(aml, TAG_INTERRUPT, 6);

  bytes_u8(bytes, INTERRUPT_CONSUMER | (trigger == FDT_IRQ_EDGE_RISING ? INTERRUPT_EDGE : 0) |
                      (trigger == FDT_IRQ_LEVEL_LOW ? INTERRUPT_ACTIVE_LOW : 0));
  bytes_u8(bytes, 1); /* of them */
  bytes_u32(bytes, gsi);
}

void aml_bus_numbers(Aml *aml, uint16_t first, uint16_t last) {
  GByteArray *bytes = large(aml, TAG_WORD_ADDRESS, 13);

  bytes_u8(bytes, SPACE_BUS);
  bytes_u8(bytes, SPACE_FIXED);
  bytes_u8(bytes, 0);
  bytes_u16(bytes, 0); /* granularity */
  bytes_u16(bytes, first);
  bytes_u16(bytes, last);
  bytes_u16(bytes, 0); /* translation */
  bytes_u16(bytes, (uint16_t)(last - first + 1));
}

void aml_memory32_window(Aml *aml, uint32_t base, uint32_t size) {
  GByteArray *bytes = large(aml, TAG_DWORD_ADDRESS, 23);

  bytes_u8(bytes, SPACE_MEMORY);
  bytes_u8(bytes, SPACE_FIXED);
  bytes_u8(bytes, MEMORY_READ_WRITE);
  bytes_u32(bytes, 0);
  bytes_u32(bytes, base);
  bytes_u32(bytes, base + size - 1);
  bytes_u32(bytes, 0);
  bytes_u32(bytes, size);
}

/* 6.4.3.5.1. FIRST and OFFSET: where it begins below the bridge, and what is to be added to that above it. */
static void qword_window(Aml *aml, uint8_t space, uint8_t flags, uint64_t first, uint64_t offset, uint64_t size) {
  GByteArray *bytes = large(aml, TAG_QWORD_ADDRESS, 43);

  bytes_u8(bytes, space);
  bytes_u8(bytes, SPACE_FIXED);
  bytes_u8(bytes, flags);
  bytes_u64(bytes, 0); /* granularity */
  bytes_u64(bytes, first);
  bytes_u64(bytes, first + size - 1);
  bytes_u64(bytes, offset);
  bytes_u64(bytes, size);
}

void aml_memory64_window(Aml *aml, uint64_t base, uint64_t size, bool prefetchable) {
  qword_window(aml, SPACE_MEMORY, MEMORY_READ_WRITE | (prefetchable ? MEMORY_PREFETCHABLE : 0), base, 0, size);
}

void aml_io_window(Aml *aml, uint64_t base, uint32_t size) {
  qword_window(aml, SPACE_IO, IO_ENTIRE_RANGE | IO_FROM_MEMORY, 0, base, size);
}

/* 6.4.3.8.1 */
void aml_gpio_interrupt(Aml *aml, const char *path, uint16_t line) {
  enum { REVISION = 1, TYPE_INTERRUPT = 0, CONSUMER = 1, EDGE_HIGH_WAKE = 1 << 4 | 1, PULL_NONE = 3 };
  enum { PINS_AT = 23, NAME_AT = PINS_AT + 2 }; /* from the descriptor's start */
  uint16_t name_size = (uint16_t)(strlen(path) + 1);
  uint16_t end = (uint16_t)(NAME_AT + name_size);
  GByteArray *bytes = large(aml, TAG_GPIO, (uint16_t)(end - 3));

  bytes_u8(bytes, REVISION);
  bytes_u8(bytes, TYPE_INTERRUPT);
  bytes_u16(bytes, CONSUMER);
  bytes_u16(bytes, EDGE_HIGH_WAKE);
  bytes_u8(bytes, PULL_NONE);
  bytes_u16(bytes, 0); /* drive strength */
  bytes_u16(bytes, 0); /* debounce */
  bytes_u16(bytes, PINS_AT);
  bytes_u8(bytes, 0); /* index of the source */
  bytes_u16(bytes, NAME_AT);
  bytes_u16(bytes, end); /* vendor's data: none */
  bytes_u16(bytes, 0);
  bytes_u16(bytes, line);
  g_byte_array_append(bytes, (const guint8 *)path, name_size);
}

void aml_begin_device_of(Aml *aml, const char *name, const char *hid, unsigned uid) {
  aml_begin_device(aml, name);
  aml_name_string(aml, "_HID", hid);
  aml_name_integer(aml, "_UID", uid);
  aml_name_integer(aml, "_CCA", 1);
}

void aml_registers(Aml *aml, uint64_t base, uint64_t size, uint32_t gsi, FdtIrqTrigger trigger) {
  g_assert(base + size <= UINT32_MAX);
  aml_name(aml, "_CRS");
  aml_begin_resources(aml);
  aml_memory32_fixed(aml, (uint32_t)base, (uint32_t)size);
  if (gsi)
    aml_interrupt(aml, gsi, trigger);
  aml_end(aml);
}

void aml_event_device(Aml *aml, const char *name, unsigned uid, uint32_t gsi, FdtIrqTrigger trigger, const char *path) {
  enum { STATUS_CHANGED = 0x80 };

  aml_begin_device(aml, name);
  aml_name_string(aml, "_HID", "ACPI0013");
  aml_name_integer(aml, "_UID", uid);
  aml_name(aml, "_CRS");
  aml_begin_resources(aml);
  aml_interrupt(aml, gsi, trigger);
  aml_end(aml);
  aml_begin_method(aml, "_EVT", 1);
  aml_begin_if(aml);
  aml_op(aml, AML_LEQUAL);
  aml_arg(aml, 0);
  aml_integer(aml, gsi);
  aml_op(aml, AML_NOTIFY);
  aml_path(aml, path);
  aml_integer(aml, STATUS_CHANGED);
  aml_end(aml);
  aml_end(aml);
  aml_end(aml);
}

void aml_begin_properties(Aml *aml, const char *compatible, unsigned n) {
  aml_name(aml, "_DSD");
  aml_begin_package(aml, 2);
  aml_uuid(aml, "daffd814-6eba-4d8c-8a91-bc9bbf4aa301"); /* device properties: UEFI Forum, _DSD implementation guide */
  aml_begin_package(aml, n + 1);
  aml_property_string(aml, "compatible", compatible);
}

void aml_end_properties(Aml *aml) {
  aml_end(aml); /* the list */
  aml_end(aml);
}

void aml_property_integer(Aml *aml, const char *name, uint64_t value) {
  aml_begin_package(aml, 2);
  aml_string(aml, name);
  aml_integer(aml, value);
  aml_end(aml);
}

void aml_property_string(Aml *aml, const char *name, const char *text) {
  aml_begin_package(aml, 2);
  aml_string(aml, name);
  aml_string(aml, text);
  aml_end(aml);
}
