/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One block of guest memory with everything in it; the memory map has it as ACPI reclaim memory, which a kernel leaves
 * alone, but for the runtime services at its end, and all other RAM as conventional. No lock: one thread.
 */
#include "vmm/boot/efi-tables.h"

#include "fdt/acpi/acpi-image.h"
#include "fdt/bytes.h"
#include "vmm/boot/efi-crc32.h"
#include "vmm/boot/efi-runtime.h"

#define EFI_PAGE_SHIFT 12

/* UEFI 2.10, 4.2 and 4.3: fields that are set once all is known. */
enum { SYSTEM_HEADER_SIZE = 120, SYSTEM_CRC32 = 16 };
#define SYSTEM_SIGNATURE UINT64_C(0x5453595320494249) /* "IBI SYST" */
#define SYSTEM_REVISION  (2u << 16 | 100)             /* 2.10 */

/* 7.2.3: types, and what the memory can be mapped as. */
enum { MEMORY_RUNTIME_CODE = 5, MEMORY_CONVENTIONAL = 7, MEMORY_ACPI_RECLAIM = 9, MEMORY_MAPPED_IO = 11 };
#define MEMORY_ATTRIBUTES 0xf /* UC, WC, WT, WB */
#define MEMORY_UNCACHED   1
#define MEMORY_RUNTIME    (UINT64_C(1) << 63) /* the runtime services need it */

/* 4.6, and of Linux: include/linux/efi.h. */
#define GUID_ACPI_20       "8868e871-e4f1-11d3-bc22-0080c73c8881"
#define GUID_SMBIOS3       "f2fd1544-9794-4a2c-992e-e5bbcf20e394"
#define GUID_RT_PROPERTIES "eb66918a-7eef-402a-842e-931d21c38ae9"
#define GUID_MEMRESERVE    "888eb0c6-8ede-4ff5-a8f0-9aee5cb977c2"

/* Where each part is, from the block's start. */
typedef struct {
  GByteArray *bytes;
  uint64_t address;
  uint64_t clock; /* where the PL031 is; 0: there are no runtime services */
  guint acpi, smbios, rt_properties, memreserve, vendor, configuration, system, map, map_size;
} Block;

enum { N_CONFIGURATION = 4 };

static guint here(Block *block, unsigned alignment) {
  bytes_align(block->bytes, alignment);
  return block->bytes->len;
}

static void append(Block *block, GBytes *data) {
  g_byte_array_append(block->bytes, g_bytes_get_data(data, NULL), (guint)g_bytes_get_size(data));
}

static void append_smbios(Block *block, const Smbios *smbios) {
  enum { ALIGNMENT = 16 };
  g_autoptr(GBytes) structures = smbios_structures(smbios);
  guint at = here(block, ALIGNMENT);

  append(block, structures);
  block->smbios = here(block, ALIGNMENT);
  g_autoptr(GBytes) entry = smbios_entry_point(block->address + at, (uint32_t)g_bytes_get_size(structures));
  append(block, entry);
}

/* 4.6.2: which runtime services there are. */
static void append_rt_properties(Block *block) {
  enum { VERSION = 1, SIZE = 8 };

  block->rt_properties = here(block, 8);
  bytes_u16(block->bytes, VERSION);
  bytes_u16(block->bytes, SIZE);
  bytes_u32(block->bytes, block->clock ? EFI_RUNTIME_SUPPORTED : 0);
}

/*
 * Linux: struct linux_efi_memreserve, a list of memory that is to survive a kexec, to which the driver of the GICv3
 * adds its tables. The stub makes it, empty.
 */
static void append_memreserve(Block *block) {
  block->memreserve = here(block, 16);
  bytes_u32(block->bytes, 0); /* entries that there is room for */
  bytes_u32(block->bytes, 0); /* that are in use */
  bytes_u64(block->bytes, 0); /* the next list */
}

static void append_vendor(Block *block) {
  static const char vendor[] = "eret";

  block->vendor = here(block, 8);
  for (unsigned i = 0; i < sizeof vendor; i++)
    bytes_u16(block->bytes, (uint16_t)vendor[i]); /* UTF-16, with a zero behind it */
}

static void append_configuration(Block *block) {
  const struct {
    const char *guid;
    guint at;
  } tables[N_CONFIGURATION] = {
      {GUID_ACPI_20, block->acpi},
      {GUID_SMBIOS3, block->smbios},
      {GUID_RT_PROPERTIES, block->rt_properties},
      {GUID_MEMRESERVE, block->memreserve},
  };

  block->configuration = here(block, 8);
  for (unsigned i = 0; i < N_CONFIGURATION; i++) {
    bytes_guid(block->bytes, tables[i].guid);
    bytes_u64(block->bytes, block->address + tables[i].at);
  }
}

static void append_system(Block *block) {
  block->system = here(block, 8);
  bytes_u64(block->bytes, SYSTEM_SIGNATURE);
  bytes_u32(block->bytes, SYSTEM_REVISION);
  bytes_u32(block->bytes, SYSTEM_HEADER_SIZE);
  bytes_u32(block->bytes, 0); /* CRC-32, to come */
  bytes_u32(block->bytes, 0);
  bytes_u64(block->bytes, block->address + block->vendor);
  bytes_u32(block->bytes, 0);      /* the firmware's revision */
  bytes_u32(block->bytes, 0);      /* filling */
  bytes_zero(block->bytes, 6 * 8); /* consoles */
  bytes_u64(block->bytes, block->clock ? EFI_RUNTIME_TABLE : 0);
  bytes_u64(block->bytes, 0); /* boot services are over */
  bytes_u64(block->bytes, N_CONFIGURATION);
  bytes_u64(block->bytes, block->address + block->configuration);
  g_assert(block->bytes->len - block->system == SYSTEM_HEADER_SIZE);
  bytes_set(block->bytes, block->system + SYSTEM_CRC32, 4, efi_crc32(block->bytes->data + block->system, SYSTEM_HEADER_SIZE));
}

typedef struct {
  uint32_t type;
  uint64_t start, end, virtual, attributes;
} Region;

/* One of no size is left out: Linux warns of such. */
static void append_region(Block *block, const Region *region) {
  if (region->start == region->end)
    return;
  bytes_u32(block->bytes, region->type);
  bytes_u32(block->bytes, 0);
  bytes_u64(block->bytes, region->start);
  bytes_u64(block->bytes, region->virtual);
  bytes_u64(block->bytes, (region->end - region->start) >> EFI_PAGE_SHIFT);
  bytes_u64(block->bytes, region->attributes);
}

static uint64_t whole(uint64_t size) {
  return (size + EFI_TABLES_ALIGNMENT - 1) / EFI_TABLES_ALIGNMENT * EFI_TABLES_ALIGNMENT;
}

/* The block with the map in it ends behind the map, and behind that are the runtime services. */
static void append_map(Block *block, uint64_t ram_base, uint64_t ram_size) {
  enum { REGIONS_MAX = 5 };

  block->map = here(block, 8);
  uint64_t code = block->address + whole(block->map + REGIONS_MAX * EFI_MEMORY_DESCRIPTOR_SIZE);
  uint64_t end = block->clock ? code + EFI_RUNTIME_SIZE : code;
  const Region regions[REGIONS_MAX] = {
      {MEMORY_MAPPED_IO, block->clock, block->clock ? block->clock + EFI_RUNTIME_SIZE : 0, EFI_RUNTIME_CLOCK,
       MEMORY_UNCACHED | MEMORY_RUNTIME},
      {MEMORY_CONVENTIONAL, ram_base, block->address, 0, MEMORY_ATTRIBUTES},
      {MEMORY_ACPI_RECLAIM, block->address, code, 0, MEMORY_ATTRIBUTES},
      {MEMORY_RUNTIME_CODE, code, end, EFI_RUNTIME_CODE, MEMORY_ATTRIBUTES | MEMORY_RUNTIME},
      {MEMORY_CONVENTIONAL, end, ram_base + ram_size, 0, MEMORY_ATTRIBUTES},
  };

  for (unsigned i = 0; i < REGIONS_MAX; i++)
    append_region(block, &regions[i]);
  block->map_size = block->bytes->len - block->map;
  bytes_zero(block->bytes, (guint)(code - block->address) - block->bytes->len);
  if (block->clock)
    efi_runtime_append(block->bytes);
}

GBytes *efi_tables_new(const AcpiWriter *acpi, const Smbios *smbios, uint64_t clock, uint64_t address, EfiAddresses *addresses) {
  Block block = {.bytes = g_byte_array_new(), .address = address, .clock = clock};
  g_autoptr(GBytes) image = acpi_image_at(acpi, address);

  append(&block, image);
  append_smbios(&block, smbios);
  append_rt_properties(&block);
  append_memreserve(&block);
  append_vendor(&block);
  append_configuration(&block);
  append_system(&block);
  append_map(&block, smbios->ram_base, smbios->ram_size);
  *addresses = (EfiAddresses){address + block.system, address + block.map, block.map_size};
  return g_byte_array_free_to_bytes(block.bytes);
}
