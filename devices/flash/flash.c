/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two banks of flash; see the header. JEDEC JESD68.01; the commands are flash-bank.c's.
 *
 * So long as a bank reads its array it is a register page that is open: the guest loads from it and runs code in it,
 * without an exit. A command closes it. The writes that fill a buffer have no effect before the command that confirms
 * them, nor has that before somebody reads; so they wait for the next access.
 *
 * What a bank holds is a copy in memory, of which only what was read from a file or changed is this process's own.
 * Changes go to the file of variables first (backend/flash-file.h): where that fails the chip says so in its status,
 * and nothing has changed.
 *
 * Locks: the device's.
 */
#define _GNU_SOURCE /* memfd_create */
#include "devices/flash/flash.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "devices/backend/flash-file.h"
#include "devices/device-watch.h"
#include "devices/register-page.h"

#define BUS_WIDTH 4u        /* bytes */
#define PIECE     0x200000u /* bytes: of memory that is erased, mapped again and again */

G_STATIC_ASSERT(FLASH_BLOCK_SIZE == FLASH_FILE_BLOCK && FLASH_BUFFER_SIZE <= FLASH_FILE_PROGRAM_MAX);

typedef struct {
  FlashBank chips;
  RegisterPage page;
  FlashFile *file; /* where changes go, too; NULL: nowhere */
  bool deferring;
  bool failing; /* the last change could not be made: that is said once, however often the guest tries */
} Bank;

typedef struct {
  Device device;
  Bank banks[FLASH_BANKS];
  DeviceWatch *watch;
} Flash;

static uint64_t flash_read(Device *device, uint64_t offset, unsigned size) {
  const Flash *flash = (const Flash *)device;
  uint64_t value = 0;

  for (unsigned i = 0; i < size; i++) {
    const Bank *bank = &flash->banks[(offset + i) / FLASH_BANK_SIZE];
    uint64_t at = (offset + i) % FLASH_BANK_SIZE;
    value |= (uint64_t)flash_bank_read(&bank->chips, at, bank->page.bytes[at]) << i * 8;
  }
  return value;
}

/* After any write: how the guest reads, and whether its writes may wait. */
static void settle(Bank *bank) {
  RegisterPage *page = &bank->page;
  bool defer = flash_bank_is_filling(&bank->chips);

  if (flash_bank_is_array(&bank->chips))
    register_page_open(page);
  else
    register_page_close(page);
  if (!page->shortcuts || defer == bank->deferring)
    return;
  bank->deferring = defer;
  if (defer)
    page->shortcuts->defer(page->shortcuts, page->address, (unsigned)page->size, DEFER_UNTIL_NEXT);
  else
    page->shortcuts->undefer(page->shortcuts, page->address);
}

/* Bits can be cleared alone. */
static bool program(Bank *bank, const FlashOperation *operation) {
  uint8_t bytes[FLASH_BUFFER_SIZE], *array = bank->page.bytes + operation->offset;

  for (unsigned i = 0; i < operation->size; i++)
    bytes[i] = array[i] & operation->bytes[i];
  if (bank->file && !flash_file_program(bank->file, operation->offset, bytes, operation->size))
    return false;
  memcpy(array, bytes, operation->size);
  return true;
}

static bool erase(Bank *bank, const FlashOperation *operation) {
  if (bank->file && !flash_file_erase(bank->file, operation->offset))
    return false;
  memset(bank->page.bytes + operation->offset, 0xff, operation->size);
  return true;
}

static void write_bank(Flash *flash, unsigned n, uint64_t offset, unsigned size, uint32_t value) {
  Bank *bank = &flash->banks[n];
  FlashOperation operation = flash_bank_write(&bank->chips, offset, size, value);
  bool done = operation.kind == FLASH_NOTHING || (operation.kind == FLASH_ERASE ? erase : program)(bank, &operation);

  if (!done && !bank->failing)
    g_message("%s: cannot change the file of variables: %s", flash->device.name, g_strerror(errno));
  if (!done)
    flash_bank_failed(&bank->chips, operation.kind);
  if (operation.kind != FLASH_NOTHING)
    bank->failing = !done;
  if (operation.event)
    device_watch_event(flash->watch, flash->device.name, n, operation.event);
  settle(bank);
}

/* The bus has 32 bits: no lines for half of one word and half of the next. */
static void flash_write(Device *device, uint64_t offset, unsigned size, uint64_t value) {
  Flash *flash = (Flash *)device;
  unsigned n = offset / FLASH_BANK_SIZE;

  if (offset % size) {
    device_watch_event(flash->watch, device->name, n, "ignored: a write that is not aligned");
    return;
  }
  for (unsigned done = 0; done < size; done += BUS_WIDTH)
    write_bank(flash, n, offset % FLASH_BANK_SIZE + done, MIN(size, BUS_WIDTH), (uint32_t)(value >> done * 8));
}

/* The device. */

static void flash_describe(const Device *device, const DeviceSlot *slot, FdtWriter *fdt) {
  uint32_t reg[FLASH_BANKS * 4];

  for (unsigned i = 0; i < FLASH_BANKS; i++) {
    uint64_t base = slot->base + i * FLASH_BANK_SIZE;
    reg[i * 4] = (uint32_t)(base >> 32);
    reg[i * 4 + 1] = (uint32_t)base;
    reg[i * 4 + 2] = 0;
    reg[i * 4 + 3] = (uint32_t)FLASH_BANK_SIZE;
  }
  fdt_writer_begin_at(fdt, "flash", slot->base);
  fdt_writer_string(fdt, "compatible", "cfi-flash"); /* Linux: bindings/mtd/mtd-physmap.yaml */
  fdt_writer_cells(fdt, "reg", reg, G_N_ELEMENTS(reg));
  fdt_writer_u32(fdt, "bank-width", BUS_WIDTH);
  fdt_writer_end(fdt);
}

static void flash_connect(Device *device, const DeviceSlot *slot, Shortcuts *shortcuts) {
  Flash *flash = (Flash *)device;

  for (unsigned i = 0; i < FLASH_BANKS; i++) {
    register_page_connect(&flash->banks[i].page, shortcuts, slot->base + i * FLASH_BANK_SIZE);
    settle(&flash->banks[i]);
  }
}

static void flash_reset(Device *device) {
  Flash *flash = (Flash *)device;

  for (unsigned i = 0; i < FLASH_BANKS; i++) {
    flash_bank_reset(&flash->banks[i].chips);
    settle(&flash->banks[i]);
  }
}

static void flash_pause(Device *device) {
  Flash *flash = (Flash *)device;

  for (unsigned i = 0; i < FLASH_BANKS; i++)
    if (flash->banks[i].file)
      flash_file_sync(flash->banks[i].file);
}

static void flash_free(Device *device) {
  Flash *flash = (Flash *)device;

  flash_pause(device);
  for (unsigned i = 0; i < FLASH_BANKS; i++) {
    if (flash->banks[i].page.bytes)
      register_page_clear(&flash->banks[i].page);
    flash_file_free(flash->banks[i].file);
  }
  device_clear(device);
  g_free(flash);
}

static const DeviceOps flash_ops = {
    .access_sizes = ACCESS_ANY,
    .unaligned = true,
    .read = flash_read,
    .write = flash_write,
    .describe = flash_describe,
    .connect = flash_connect,
    .reset = flash_reset,
    .pause = flash_pause,
    .free = flash_free,
};

/* Making one. */

static bool fail_memory(GError **error) {
  g_set_error(error, FLASH_FILE_ERROR, FLASH_FILE_ERROR_OPEN, "the host cannot provide %d MiB of addresses for flash: %s",
              (int)(FLASH_BANK_SIZE >> 20), g_strerror(errno));
  return false;
}

/* SIZE bytes, whole pieces, are erased: all show the same memory, until somebody writes there. */
static bool map_erased(uint8_t *bytes, uint64_t size) {
  int fd = memfd_create("eret-erased-flash", MFD_CLOEXEC);
  g_autofree uint8_t *piece = g_malloc(PIECE);
  bool done;

  memset(piece, 0xff, PIECE);
  done = fd >= 0 && write(fd, piece, PIECE) == (ssize_t)PIECE;
  for (uint64_t at = 0; done && at < size; at += PIECE)
    done = mmap(bytes + at, PIECE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, 0) != MAP_FAILED;
  if (fd >= 0)
    close(fd);
  return done;
}

/* What FILE holds, and behind it erased blocks; FILE may be NULL. */
static bool load(Bank *bank, const FlashFile *file, GError **error) {
  uint64_t size = file ? flash_file_size(file) : 0, whole = (size + PIECE - 1) / PIECE * PIECE;
  uint8_t *bytes = mmap(NULL, FLASH_BANK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

  if (bytes == MAP_FAILED)
    return fail_memory(error);
  register_page_init_at(&bank->page, bytes, FLASH_BANK_SIZE);
  if (whole < FLASH_BANK_SIZE && !map_erased(bytes + whole, FLASH_BANK_SIZE - whole))
    return fail_memory(error);
  memset(bytes + size, 0xff, whole - size);
  return !file || flash_file_read(file, bytes, error);
}

static bool load_firmware(Bank *bank, const FirmwareConfig *config, GError **error) {
  g_autoptr(FlashFile) file = flash_file_open_image(config->path, FLASH_BANK_SIZE, error);

  flash_bank_init(&bank->chips, 0);
  return file && load(bank, file, error);
}

static bool make_variables(const FirmwareConfig *config, GError **error) {
  g_autofree char *template = flash_file_template(config->path);

  return flash_file_create(config->vars, template, FLASH_VARIABLE_BLOCKS, error);
}

static bool load_variables(Bank *bank, const FirmwareConfig *config, GError **error) {
  if (config->vars && access(config->vars, F_OK) < 0 && errno == ENOENT && !make_variables(config, error))
    return false;
  if (config->vars)
    bank->file = flash_file_open(config->vars, FLASH_BANK_SIZE, error);
  if (config->vars && !bank->file)
    return false;
  flash_bank_init(&bank->chips, bank->file ? flash_file_size(bank->file) : FLASH_BANK_SIZE);
  return load(bank, bank->file, error);
}

static Device *flash_make(const DeviceParts *parts, GError **error) {
  Flash *flash = device_new(sizeof(Flash), &flash_ops, parts->name);

  flash->watch = parts->watch;
  if (parts->plan_only || (load_firmware(&flash->banks[0], parts->asked, error) && load_variables(&flash->banks[1], parts->asked, error)))
    return &flash->device;
  device_free(&flash->device);
  return NULL;
}

const DeviceKind flash_kind = {
    .name = "flash",
    .descriptors = 1,
    .size = FLASH_BANKS * FLASH_BANK_SIZE,
    .make = flash_make,
    .holds_code = true,
};
