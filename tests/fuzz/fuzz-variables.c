/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file of variables that somebody else has written, with a change behind its end that was begun, or looks like it:
 * devices/backend/flash-file.c. Nothing outside of it is written; what was programmed is read.
 */
#include "tests/fuzz/fuzz.h"

#include <sys/stat.h>
#include <unistd.h>

#include "devices/backend/flash-file.h"

#define BLOCKS  2
#define STEPS   8
#define LARGEST ((uint64_t)BLOCKS * FLASH_FILE_BLOCK)

/* As flash-file.c has it; the sum is put right. */
typedef struct {
  char magic[16];
  uint64_t offset, size;
  uint8_t bytes[FLASH_FILE_PROGRAM_MAX];
  uint8_t sum[20];
} Record;

static void put_record(FuzzInput *input, const FuzzFile *file, uint64_t blocks) {
  unsigned what = fuzz_below(input, 8);
  Record record = {.offset = 0};
  size_t got;
  g_autoptr(GChecksum) checksum = g_checksum_new(G_CHECKSUM_SHA1);
  gsize sum_size = sizeof record.sum;

  memcpy(record.magic, "eret flash redo", sizeof record.magic);
  record.offset = fuzz_number(input, what & 1 ? 8 : 3) & (what & 2 ? ~UINT64_C(0x3ffff) : UINT64_MAX);
  record.size = fuzz_number(input, what & 1 ? 8 : 2);
  const uint8_t *bytes = fuzz_bytes(input, 64, &got);
  if (got)
    memcpy(record.bytes, bytes, got);
  g_checksum_update(checksum, (const guchar *)&record, offsetof(Record, sum));
  g_checksum_get_digest(checksum, record.sum, &sum_size);
  if (what == 7)
    record.sum[0] ^= 1;
  g_assert_cmpint(pwrite(file->fd, &record, what == 6 ? 100 : sizeof record, (off_t)(blocks * FLASH_FILE_BLOCK)), >, 0);
}

/* OFFSET and on, of what was written and can be read again. */
static void assert_bytes(const FlashFile *file, uint64_t offset, const uint8_t *bytes, size_t size) {
  g_autofree uint8_t *all = g_malloc0(flash_file_size(file));
  g_autoptr(GError) error = NULL;

  g_assert_true(flash_file_read(file, all, &error));
  for (size_t i = 0; i < size; i++)
    g_assert_cmphex(all[offset + i], ==, bytes ? bytes[i] : 0xff);
}

static void change(FuzzInput *input, FlashFile *file) {
  uint64_t size = flash_file_size(file), offset = fuzz_number(input, 3) % size;
  size_t got;
  const uint8_t *bytes = fuzz_bytes(input, fuzz_number(input, 1), &got);

  if (fuzz_number(input, 1) & 1) {
    offset -= offset % FLASH_FILE_BLOCK;
    g_assert_true(flash_file_erase(file, offset));
    assert_bytes(file, offset, NULL, FLASH_FILE_BLOCK);
  } else if (got && got <= size - offset) {
    g_assert_true(flash_file_program(file, offset, bytes, (unsigned)got));
    assert_bytes(file, offset, bytes, got);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  FuzzInput input = {data, size};
  unsigned what = fuzz_below(&input, 8);
  uint64_t blocks = what & 3;
  g_autoptr(GError) error = NULL, other = NULL;
  struct stat status;
  FuzzFile file;

  fuzz_file_init(&file, NULL, 0);
  g_assert_cmpint(ftruncate(file.fd, (off_t)(blocks * FLASH_FILE_BLOCK)), ==, 0);
  if (what & 4)
    put_record(&input, &file, blocks);
  bool fits = flash_file_check(file.path, LARGEST, &other);
  g_autoptr(FlashFile) flash = flash_file_open(file.path, LARGEST, &error);
  g_assert_true(!flash == !!error);
  g_assert_true(fits == !!flash);
  for (unsigned i = 0; flash && i < STEPS && input.left; i++)
    change(&input, flash);
  g_assert_cmpint(fstat(file.fd, &status), ==, 0);
  if (flash) /* a change that was begun is over */
    g_assert_cmpint(status.st_size, ==, (off_t)flash_file_size(flash));
  g_assert_cmpuint((uint64_t)status.st_size, <=, (blocks + 1) * FLASH_FILE_BLOCK);
  fuzz_file_clear(&file);
  return 0;
}
