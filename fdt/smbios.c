/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SMBIOS structures: a header, fields, then the texts that fields name by number, and a zero. What is not known is left
 * "unknown" and not invented. No lock: one thread.
 */
#include "fdt/smbios.h"

#include <stdbool.h>
#include <string.h>

#include "fdt/bytes.h"

/* Structure types: DSP0134, 7. */
enum { BIOS = 0, SYSTEM = 1, CHASSIS = 3, PROCESSOR = 4, MEMORY_ARRAY = 16, MEMORY_DEVICE = 17, ARRAY_ADDRESS = 19, BOOT = 32, END = 127 };
#define STRUCTURE_LENGTH 1 /* offset of the header's field */

/* Handles: any numbers that differ. */
#define HANDLE(TYPE) ((uint16_t)((TYPE) << 8))

#define NO_HANDLE       0xffff
#define NO_ERROR_HANDLE 0xfffe
#define MAKER           "eret"
#define PRODUCT         "KVM Virtual Machine" /* programs that look for KVM look at how this begins: systemd-detect-virt */

enum { VERSION_MAJOR = 3, VERSION_MINOR = 2 };

typedef struct {
  GByteArray *bytes;
  guint start; /* of the open structure */
  const char *texts[8];
  uint8_t n_texts;
} Writer;

static void begin(Writer *writer, uint8_t type) {
  writer->start = writer->bytes->len;
  writer->n_texts = 0;
  bytes_u8(writer->bytes, type);
  bytes_u8(writer->bytes, 0); /* length, to come */
  bytes_u16(writer->bytes, HANDLE(type));
}

/* A field with the number of TEXT. */
static void text(Writer *writer, const char *value) {
  g_assert(writer->n_texts < G_N_ELEMENTS(writer->texts));
  writer->texts[writer->n_texts++] = value;
  bytes_u8(writer->bytes, writer->n_texts);
}

static void no_text(Writer *writer) {
  bytes_u8(writer->bytes, 0);
}

static void text_or_none(Writer *writer, const char *value) {
  if (value)
    text(writer, value);
  else
    no_text(writer);
}

static void end(Writer *writer) {
  bytes_set(writer->bytes, writer->start + STRUCTURE_LENGTH, 1, writer->bytes->len - writer->start);
  for (unsigned i = 0; i < writer->n_texts; i++)
    g_byte_array_append(writer->bytes, (const guint8 *)writer->texts[i], (guint)strlen(writer->texts[i]) + 1);
  bytes_zero(writer->bytes, writer->n_texts ? 1 : 2);
}

/* 7.1 */
static void write_bios(Writer *writer, const Smbios *smbios) {
  enum { NOT_SUPPORTED = 1 << 3, TARGETED_DISTRIBUTION = 1 << 2, VIRTUAL_MACHINE = 1 << 4, NO_CONTROLLER = 0xff };

  begin(writer, BIOS);
  text(writer, MAKER);
  text(writer, smbios->version);
  bytes_u16(writer->bytes, 0);             /* segment: none */
  no_text(writer);                         /* release date */
  bytes_u8(writer->bytes, 0);              /* size */
  bytes_u64(writer->bytes, NOT_SUPPORTED); /* characteristics of PCs */
  bytes_u8(writer->bytes, 0);
  bytes_u8(writer->bytes, TARGETED_DISTRIBUTION | VIRTUAL_MACHINE);
  bytes_u8(writer->bytes, NO_CONTROLLER); /* release: none */
  bytes_u8(writer->bytes, NO_CONTROLLER);
  bytes_u8(writer->bytes, NO_CONTROLLER); /* embedded controller: none */
  bytes_u8(writer->bytes, NO_CONTROLLER);
  end(writer);
}

/* 7.2 */
static void write_system(Writer *writer, const Smbios *smbios) {
  enum { WAKE_UP_POWER_SWITCH = 6 };

  begin(writer, SYSTEM);
  text(writer, MAKER);
  text(writer, PRODUCT);
  text(writer, smbios->version);
  text_or_none(writer, smbios->serial_number);
  if (smbios->uuid)
    bytes_guid(writer->bytes, smbios->uuid); /* 7.2.1: in the same order as UEFI's */
  else
    bytes_zero(writer->bytes, BYTES_GUID_SIZE); /* not set */
  bytes_u8(writer->bytes, WAKE_UP_POWER_SWITCH);
  no_text(writer); /* SKU */
  no_text(writer); /* family */
  end(writer);
}

/* 7.4 */
static void write_chassis(Writer *writer, const Smbios *smbios) {
  enum { TYPE_OTHER = 1, STATE_SAFE = 3, SECURITY_UNKNOWN = 2 };

  begin(writer, CHASSIS);
  text(writer, MAKER);
  bytes_u8(writer->bytes, TYPE_OTHER);
  text(writer, smbios->version);
  no_text(writer);
  no_text(writer);
  for (unsigned i = 0; i < 3; i++) /* as it started, power supply, temperature */
    bytes_u8(writer->bytes, STATE_SAFE);
  bytes_u8(writer->bytes, SECURITY_UNKNOWN);
  bytes_u32(writer->bytes, 0);
  bytes_zero(writer->bytes, 4); /* height, power cords; contained elements, their size */
  no_text(writer);
  end(writer);
}

/* 7.5 */
static void write_processor(Writer *writer, const Smbios *smbios) {
  enum { TYPE_CPU = 3, SEE_FAMILY_2 = 0xfe, STATUS_POPULATED_ENABLED = 0x41, UPGRADE_NONE = 6, CAPABLE_64BIT = 1 << 2 };
  enum { FAMILY_ARMV8 = 0x101 };
  uint8_t few = (uint8_t)MIN(smbios->n_cpus, 0xff); /* more are told in the second field */
  uint16_t cores = (uint16_t)smbios->n_cpus;

  begin(writer, PROCESSOR);
  text(writer, "CPU 0");
  bytes_u8(writer->bytes, TYPE_CPU);
  bytes_u8(writer->bytes, SEE_FAMILY_2);
  text(writer, MAKER);
  bytes_u64(writer->bytes, 0); /* ID */
  text(writer, "virtual");
  bytes_u8(writer->bytes, 0);   /* voltage */
  bytes_zero(writer->bytes, 6); /* clock and speeds: unknown */
  bytes_u8(writer->bytes, STATUS_POPULATED_ENABLED);
  bytes_u8(writer->bytes, UPGRADE_NONE);
  for (unsigned i = 0; i < 3; i++) /* caches */
    bytes_u16(writer->bytes, NO_HANDLE);
  no_text(writer);
  no_text(writer);
  no_text(writer);
  bytes_u8(writer->bytes, few); /* cores, those enabled, threads */
  bytes_u8(writer->bytes, few);
  bytes_u8(writer->bytes, few);
  bytes_u16(writer->bytes, CAPABLE_64BIT);
  bytes_u16(writer->bytes, FAMILY_ARMV8);
  bytes_u16(writer->bytes, cores);
  bytes_u16(writer->bytes, cores);
  bytes_u16(writer->bytes, cores);
  end(writer);
}

/* 7.17 */
static void write_memory_array(Writer *writer, const Smbios *smbios) {
  enum { LOCATION_OTHER = 1, USE_SYSTEM = 3, CORRECTION_UNKNOWN = 2 };
  const uint32_t extended = 0x80000000;
  uint64_t kib = smbios->ram_size >> 10;

  begin(writer, MEMORY_ARRAY);
  bytes_u8(writer->bytes, LOCATION_OTHER);
  bytes_u8(writer->bytes, USE_SYSTEM);
  bytes_u8(writer->bytes, CORRECTION_UNKNOWN);
  bytes_u32(writer->bytes, kib < extended ? (uint32_t)kib : extended);
  bytes_u16(writer->bytes, NO_ERROR_HANDLE);
  bytes_u16(writer->bytes, 1); /* devices */
  bytes_u64(writer->bytes, kib < extended ? 0 : smbios->ram_size);
  end(writer);
}

/* 7.18 */
static void write_memory_device(Writer *writer, const Smbios *smbios) {
  enum { WIDTH_UNKNOWN = 0xffff, SIZE_EXTENDED = 0x7fff, FORM_OTHER = 1, TYPE_RAM = 7, DETAIL_UNKNOWN = 1 << 2 };
  uint64_t mib = smbios->ram_size >> 20;

  begin(writer, MEMORY_DEVICE);
  bytes_u16(writer->bytes, HANDLE(MEMORY_ARRAY));
  bytes_u16(writer->bytes, NO_ERROR_HANDLE);
  bytes_u16(writer->bytes, WIDTH_UNKNOWN);
  bytes_u16(writer->bytes, WIDTH_UNKNOWN);
  bytes_u16(writer->bytes, (uint16_t)MIN(mib, SIZE_EXTENDED));
  bytes_u8(writer->bytes, FORM_OTHER);
  bytes_u8(writer->bytes, 0); /* of no set */
  text(writer, "RAM 0");
  no_text(writer);
  bytes_u8(writer->bytes, TYPE_RAM);
  bytes_u16(writer->bytes, DETAIL_UNKNOWN);
  bytes_u16(writer->bytes, 0); /* speed */
  text(writer, MAKER);
  no_text(writer);
  no_text(writer);
  no_text(writer);
  bytes_u8(writer->bytes, 0); /* rank */
  bytes_u32(writer->bytes, mib < SIZE_EXTENDED ? 0 : (uint32_t)mib);
  bytes_zero(writer->bytes, 8); /* configured speed, voltages */
  end(writer);
}

/* 7.20 */
static void write_array_address(Writer *writer, const Smbios *smbios) {
  uint64_t first = smbios->ram_base, last = smbios->ram_base + smbios->ram_size - 1;
  bool extended = last >> 10 >= UINT32_MAX;

  begin(writer, ARRAY_ADDRESS);
  bytes_u32(writer->bytes, extended ? UINT32_MAX : (uint32_t)(first >> 10));
  bytes_u32(writer->bytes, extended ? UINT32_MAX : (uint32_t)(last >> 10));
  bytes_u16(writer->bytes, HANDLE(MEMORY_ARRAY));
  bytes_u8(writer->bytes, 1); /* devices in a row of it */
  bytes_u64(writer->bytes, extended ? first : 0);
  bytes_u64(writer->bytes, extended ? last : 0);
  end(writer);
}

/* 7.33 */
static void write_boot(Writer *writer) {
  begin(writer, BOOT);
  bytes_zero(writer->bytes, 6);
  bytes_u8(writer->bytes, 0); /* no errors */
  end(writer);
}

GBytes *smbios_structures(const Smbios *smbios) {
  Writer writer = {.bytes = g_byte_array_new()};

  write_bios(&writer, smbios);
  write_system(&writer, smbios);
  write_chassis(&writer, smbios);
  write_processor(&writer, smbios);
  write_memory_array(&writer, smbios);
  write_memory_device(&writer, smbios);
  write_array_address(&writer, smbios);
  write_boot(&writer);
  begin(&writer, END);
  end(&writer);
  return g_byte_array_free_to_bytes(writer.bytes);
}

GBytes *smbios_entry_point(uint64_t address, uint32_t size) {
  enum { CHECKSUM = 5, LENGTH = 24, REVISION = 1 };
  GByteArray *bytes = g_byte_array_new();

  bytes_text(bytes, "_SM3_", 5, 0);
  bytes_u8(bytes, 0); /* checksum, to come */
  bytes_u8(bytes, LENGTH);
  bytes_u8(bytes, VERSION_MAJOR);
  bytes_u8(bytes, VERSION_MINOR);
  bytes_u8(bytes, 0); /* errata */
  bytes_u8(bytes, REVISION);
  bytes_u8(bytes, 0);
  bytes_u32(bytes, size);
  bytes_u64(bytes, address);
  bytes->data[CHECKSUM] = bytes_checksum(bytes->data, bytes->len);
  return g_byte_array_free_to_bytes(bytes);
}
