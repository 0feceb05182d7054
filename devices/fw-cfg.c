/* SPDX-License-Identifier: Apache-2.0 */
/*
 * QEMU's firmware configuration device, as it is mapped to memory (QEMU: docs/specs/fw_cfg.rst):
 *
 *   0x00  DATA      8 bytes; reads, of any size: the selected item's next bytes, in the order of memory; zeros behind its end
 *   0x08  SELECTOR  16-bit writes: an item is selected, from its start on
 *   0x10  DMA       64-bit writes, or 32-bit ones of which the one to 0x14 counts: the address of a struct in guest
 *                   memory that says what is to be done. Reads: "QEMU CFG"
 *
 * What is written, and all numbers in the struct and in the directory of files, is big-endian. A transfer is over when
 * the write is: the struct's `control` is then zero, or has the error bit. It is the last thing to be written.
 *
 * All that the guest says is taken for what it is: the struct is copied before it is looked at, and what is to be
 * filled has to lie in one piece of RAM, wholly, or nothing is transferred. No number of the guest's is an index or
 * sizes anything of ours. Items are not written to (which QEMU has not for its files, either).
 *
 * Locks: the device's, which the bus holds.
 */
#include "devices/fw-cfg.h"

#include <string.h>

#define DATA_END 0x08
#define SELECTOR 0x08
#define DMA      0x10
#define DMA_LOW  0x14
#define DMA_END  0x18

#define ID_TRADITIONAL  1u     /* what FW_CFG_ID says: DATA and SELECTOR work ... */
#define ID_DMA          2u     /* ... and DMA */
#define SELECT_IGNORED  0x4000 /* bit 14 of a selector was for writing, and means nothing any more */
#define DMA_SIGNATURE   "QEMU CFG"
#define NAME_FIELD_SIZE (FW_CFG_NAME_MAX + 1)

enum { CONTROL_ERROR = 1, CONTROL_READ = 2, CONTROL_SKIP = 4, CONTROL_SELECT = 8, CONTROL_WRITE = 16 };

/* In guest memory, all big-endian: QEMU, struct FWCfgDmaAccess. */
typedef struct {
  uint32_t control, length;
  uint64_t address;
} __attribute__((packed)) DmaAccess;

/* In FW_CFG_FILE_DIR, behind a 32-bit count, all big-endian: QEMU, struct FWCfgFile. */
typedef struct {
  uint32_t size;
  uint16_t key, reserved;
  char name[NAME_FIELD_SIZE];
} __attribute__((packed)) DirectoryEntry;

typedef struct {
  Device device;
  const GuestMemory *memory;
  DeviceWatch *watch;
  GPtrArray *items; /* of FwCfgItem: numbered ones by key, then files by name */
  unsigned n_numbered;
  bool spoilt; /* it was said that an item is */
  struct {
    uint16_t key;
    uint32_t dma_high;
    uint64_t position; /* in the selected item; at most its size */
  } state;
} FwCfg;

static void item_free(gpointer data) {
  FwCfgItem *item = data;

  g_bytes_unref(item->bytes);
  g_free(item);
}

GPtrArray *fw_cfg_items_new(void) {
  return g_ptr_array_new_with_free_func(item_free);
}

FwCfgItem *fw_cfg_add_key(GPtrArray *items, FwCfgKey key, GBytes *bytes_taken) {
  FwCfgItem *item = g_new0(FwCfgItem, 1);

  item->key = key;
  item->bytes = bytes_taken;
  g_ptr_array_add(items, item);
  return item;
}

FwCfgItem *fw_cfg_add_file(GPtrArray *items, const char *name, GBytes *bytes_taken) {
  FwCfgItem *item = fw_cfg_add_key(items, FW_CFG_FILE_FIRST, bytes_taken);

  item->name = g_intern_string(name);
  return item;
}

static int compare_items(gconstpointer a, gconstpointer b) {
  const FwCfgItem *left = *(FwCfgItem *const *)a, *right = *(FwCfgItem *const *)b;

  if (left->key != right->key)
    return left->key < right->key ? -1 : 1;
  return g_strcmp0(left->name, right->name);
}

/* The files among ITEMS, which are the last ones of it, get their keys. */
static GBytes *make_directory(GPtrArray *items, unsigned n_numbered) {
  uint32_t n_files = items->len - n_numbered, count = GUINT32_TO_BE(n_files);
  GByteArray *directory = g_byte_array_new();

  g_byte_array_append(directory, (const guint8 *)&count, sizeof count);
  for (uint32_t i = 0; i < n_files; i++) {
    FwCfgItem *item = items->pdata[n_numbered + i];
    item->key = (FwCfgKey)(FW_CFG_FILE_FIRST + i);
    DirectoryEntry entry = {.size = GUINT32_TO_BE((uint32_t)g_bytes_get_size(item->bytes)), .key = GUINT16_TO_BE((uint16_t)item->key)};
    g_strlcpy(entry.name, item->name, sizeof entry.name);
    g_byte_array_append(directory, (const guint8 *)&entry, sizeof entry);
  }
  return g_byte_array_free_to_bytes(directory);
}

static void fw_cfg_reset(Device *device) {
  FwCfg *fw_cfg = (FwCfg *)device;
  memset(&fw_cfg->state, 0, sizeof fw_cfg->state);
}

/* What the watch is told when it is selected; it lives as long as the process, as the watch wants it. */
static const char *title_of(const FwCfgItem *item) {
  static const char *const numbered[FW_CFG_FILE_FIRST] = {
      [FW_CFG_SIGNATURE] = "signature",       [FW_CFG_ID] = "ID",
      [FW_CFG_NB_CPUS] = "number of CPUs",    [FW_CFG_KERNEL_SIZE] = "kernel size",
      [FW_CFG_KERNEL_DATA] = "kernel",        [FW_CFG_INITRD_SIZE] = "initrd size",
      [FW_CFG_INITRD_DATA] = "initrd",        [FW_CFG_CMDLINE_SIZE] = "command line size",
      [FW_CFG_CMDLINE_DATA] = "command line", [FW_CFG_FILE_DIR] = "directory of files",
  };
  g_autofree char *title = g_strdup_printf("selects: %s", item->name ? item->name : numbered[item->key]);

  return g_intern_string(title);
}

void fw_cfg_set_items(Device *device, GPtrArray *items_taken) {
  static const uint32_t id = GUINT32_TO_LE(ID_TRADITIONAL | ID_DMA);
  FwCfg *fw_cfg = (FwCfg *)device;
  GPtrArray *items = items_taken;

  fw_cfg_add_key(items, FW_CFG_SIGNATURE, g_bytes_new_static("QEMU", 4));
  fw_cfg_add_key(items, FW_CFG_ID, g_bytes_new_static(&id, sizeof id));
  g_ptr_array_sort(items, compare_items);
  fw_cfg->n_numbered = 0;
  while (fw_cfg->n_numbered < items->len && !((const FwCfgItem *)items->pdata[fw_cfg->n_numbered])->name)
    fw_cfg->n_numbered++;
  GBytes *directory = make_directory(items, fw_cfg->n_numbered);
  fw_cfg_add_key(items, FW_CFG_FILE_DIR, directory);
  g_ptr_array_insert(items, (int)fw_cfg->n_numbered++, g_ptr_array_steal_index(items, items->len - 1));
  for (unsigned i = 0; i < items->len; i++)
    ((FwCfgItem *)items->pdata[i])->title = title_of(items->pdata[i]);
  g_clear_pointer(&fw_cfg->items, g_ptr_array_unref);
  fw_cfg->items = items;
  fw_cfg->spoilt = false;
  fw_cfg_reset(device);
}

/* NULL: there is no such item. */
static const FwCfgItem *selected(const FwCfg *fw_cfg) {
  uint16_t key = fw_cfg->state.key;

  if (key >= FW_CFG_FILE_FIRST) {
    unsigned index = fw_cfg->n_numbered + (key - FW_CFG_FILE_FIRST);
    return index < fw_cfg->items->len ? fw_cfg->items->pdata[index] : NULL;
  }
  for (unsigned i = 0; i < fw_cfg->n_numbered; i++) {
    const FwCfgItem *item = fw_cfg->items->pdata[i];
    if (item->key == key)
      return item;
  }
  return NULL;
}

static void select_item(FwCfg *fw_cfg, uint16_t key) {
  fw_cfg->state.key = (uint16_t)(key & ~SELECT_IGNORED);
  fw_cfg->state.position = 0;
  const FwCfgItem *item = selected(fw_cfg);
  device_watch_event(fw_cfg->watch, fw_cfg->device.name, 0, item ? item->title : "selects: an item that is not there");
  if (item && item->step)
    device_watch_step(fw_cfg->watch, item->step);
}

/* The next bytes of the selected item, SIZE at most; they are passed. */
static const uint8_t *advance(FwCfg *fw_cfg, uint64_t size, uint64_t *taken) {
  const FwCfgItem *item = selected(fw_cfg);
  gsize item_size = 0;
  const uint8_t *data = item ? g_bytes_get_data(item->bytes, &item_size) : NULL;
  uint64_t from = fw_cfg->state.position;

  *taken = MIN(size, item_size - from);
  fw_cfg->state.position += *taken;
  return *taken ? data + from : NULL;
}

/* Called behind each read of the selected item. False: what was read is not to be used. */
static bool still_good(FwCfg *fw_cfg) {
  const FwCfgItem *item = selected(fw_cfg);

  if (!item || !item->is_good || item->is_good(item->opaque))
    return true;
  if (!fw_cfg->spoilt)
    g_warning("%s: a file was changed while the guest read it (it %s)", fw_cfg->device.name, item->title);
  fw_cfg->spoilt = true;
  return false;
}

static uint64_t read_data(FwCfg *fw_cfg, unsigned size) {
  uint64_t value = 0, taken;
  const uint8_t *bytes = advance(fw_cfg, size, &taken);

  if (bytes)
    memcpy(&value, bytes, taken);
  return still_good(fw_cfg) ? GUINT64_FROM_LE(value) : 0;
}

/* Fills LENGTH bytes at ADDRESS with what comes next, and zeros behind its end. False: they are no guest memory. */
static bool transfer(FwCfg *fw_cfg, uint64_t address, uint32_t length) {
  uint8_t *to = guest_memory_slice(fw_cfg->memory, address, length);
  uint64_t taken;

  if (!to)
    return length == 0;
  const uint8_t *bytes = advance(fw_cfg, length, &taken);
  if (bytes)
    memcpy(to, bytes, taken);
  memset(to + taken, 0, length - taken);
  return still_good(fw_cfg);
}

static bool carry_out(FwCfg *fw_cfg, uint32_t control, uint32_t length, uint64_t address) {
  uint64_t taken;

  if (control & CONTROL_SELECT)
    select_item(fw_cfg, (uint16_t)(control >> 16));
  if (control & CONTROL_READ)
    return transfer(fw_cfg, address, length);
  if (control & CONTROL_WRITE)
    return length == 0;
  if (control & CONTROL_SKIP)
    advance(fw_cfg, length, &taken);
  return true;
}

static void run_dma(FwCfg *fw_cfg, uint64_t address) {
  uint64_t started = device_watch_now(fw_cfg->watch);
  DmaAccess access;

  /* Nowhere to say that it failed. */
  if (!guest_memory_read(fw_cfg->memory, address, &access, sizeof access)) {
    device_watch_event(fw_cfg->watch, fw_cfg->device.name, 0, "DMA: the request is not in memory");
    return;
  }
  uint32_t length = GUINT32_FROM_BE(access.length);
  bool good = carry_out(fw_cfg, GUINT32_FROM_BE(access.control), length, GUINT64_FROM_BE(access.address));
  uint32_t answer = good ? 0 : GUINT32_TO_BE(CONTROL_ERROR);
  __atomic_thread_fence(__ATOMIC_RELEASE); /* another vCPU may wait for it */
  guest_memory_write(fw_cfg->memory, address, &answer, sizeof answer);
  device_watch_request(fw_cfg->watch, fw_cfg->device.name, 0, "DMA", length, started, !good);
}

static uint64_t fw_cfg_read(Device *device, uint64_t offset, unsigned size) {
  uint64_t value = 0;

  if (offset < DATA_END)
    return read_data((FwCfg *)device, size);
  if (offset >= DMA)
    memcpy(&value, &DMA_SIGNATURE[offset - DMA], size);
  return GUINT64_FROM_LE(value);
}

static void fw_cfg_write(Device *device, uint64_t offset, unsigned size, uint64_t value) {
  FwCfg *fw_cfg = (FwCfg *)device;

  if (offset == SELECTOR && size == 2) {
    select_item(fw_cfg, GUINT16_SWAP_LE_BE((uint16_t)value));
  } else if (offset == DMA && size == 4) {
    fw_cfg->state.dma_high = GUINT32_SWAP_LE_BE((uint32_t)value);
  } else if (offset == DMA_LOW && size == 4) {
    uint64_t high = fw_cfg->state.dma_high;
    fw_cfg->state.dma_high = 0;
    run_dma(fw_cfg, high << 32 | GUINT32_SWAP_LE_BE((uint32_t)value));
  } else if (offset == DMA && size == 8) {
    fw_cfg->state.dma_high = 0;
    run_dma(fw_cfg, GUINT64_SWAP_LE_BE(value));
  }
}

static const char *fw_cfg_register_name(const Device *device, uint64_t offset) {
  if (offset < DATA_END)
    return "DATA";
  return offset == SELECTOR ? "SELECTOR" : offset == DMA ? "DMA" : offset == DMA_LOW ? "DMA low" : NULL;
}

/* Linux: Documentation/devicetree/bindings/firmware/qemu,fw-cfg-mmio.yaml. */
static void fw_cfg_describe(const Device *device, const DeviceSlot *slot, FdtWriter *fdt) {
  fdt_writer_begin_at(fdt, "fw-cfg", slot->base);
  fdt_writer_string(fdt, "compatible", "qemu,fw-cfg-mmio");
  fdt_writer_reg(fdt, slot->base, slot->size);
  fdt_writer_flag(fdt, "dma-coherent");
  fdt_writer_end(fdt);
}

/*
 * QEMU: docs/specs/fw_cfg.rst, "ACPI Interface". Present, enabled and working, and none of a user's business: ACPI 6.3,
 * 6.3.7.
 */
static void fw_cfg_describe_acpi(const Device *device, const DeviceSlot *slot, AcpiWriter *acpi) {
  enum { STATUS_PRESENT = 1 << 0, STATUS_ENABLED = 1 << 1, STATUS_WORKS = 1 << 3 };

  device_begin_acpi(acpi, "FWCF", "QEMU0002", 0, slot);
  aml_name_integer(acpi->aml, "_STA", STATUS_PRESENT | STATUS_ENABLED | STATUS_WORKS);
  aml_end(acpi->aml);
}

static void fw_cfg_free(Device *device) {
  g_clear_pointer(&((FwCfg *)device)->items, g_ptr_array_unref);
  device_clear(device);
  g_free(device);
}

static const DeviceOps fw_cfg_ops = {
    .access_sizes = ACCESS_ANY,
    .read = fw_cfg_read,
    .write = fw_cfg_write,
    .register_name = fw_cfg_register_name,
    .describe = fw_cfg_describe,
    .describe_acpi = fw_cfg_describe_acpi,
    .reset = fw_cfg_reset,
    .free = fw_cfg_free,
};

static Device *fw_cfg_make(const DeviceParts *parts, GError **error) {
  FwCfg *fw_cfg = device_new(sizeof *fw_cfg, &fw_cfg_ops, parts->name);

  fw_cfg->memory = parts->memory;
  fw_cfg->watch = parts->watch;
  fw_cfg_set_items(&fw_cfg->device, fw_cfg_items_new());
  return &fw_cfg->device;
}

const DeviceKind fw_cfg_kind = {
    .name = "fw-cfg",
    .note = "firmware configuration",
    .size = FW_CFG_SIZE,
    .make = fw_cfg_make,
};
