/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands to a bank of flash, by themselves: devices/flash/flash-bank.c, without the 128 MiB that fuzz-flash.c has.
 * Only what can be written is ever to be, a block at a time, and no bit is set but by erasing.
 */
#include "tests/fuzz/fuzz.h"

#include "devices/flash/flash-bank.h"

#define BLOCKS   3u /* that can be written */
#define WRITABLE (BLOCKS * FLASH_BLOCK_SIZE)
#define STEPS    256

typedef struct {
  FlashBank bank;
  FuzzInput *input;
  uint64_t at; /* of the last write */
} Fixture;

static void carry_out(Fixture *f, const FlashOperation *operation) {
  if (operation->kind == FLASH_NOTHING)
    return;
  g_assert_cmpuint(operation->offset, <, f->bank.writable);
  if (operation->kind == FLASH_ERASE) {
    g_assert_cmpuint(operation->offset % FLASH_BLOCK_SIZE, ==, 0);
  } else {
    g_assert_cmpuint(operation->size, >=, 1);
    g_assert_cmpuint(operation->size, <=, FLASH_BUFFER_SIZE);
    g_assert_cmpuint(operation->offset / FLASH_BLOCK_SIZE, ==, (operation->offset + operation->size - 1) / FLASH_BLOCK_SIZE);
    g_free(g_memdup2(operation->bytes, operation->size)); /* all of it is there */
  }
  if (fuzz_below(f->input, 8) == 7)
    flash_bank_failed(&f->bank, operation->kind);
}

static void write_bank(Fixture *f, uint64_t offset, unsigned size, uint32_t value) {
  FlashOperation operation = flash_bank_write(&f->bank, offset, size, value);

  f->at = offset;
  carry_out(f, &operation);
}

/* Near the last one, or anywhere. */
static uint64_t any_offset(Fixture *f, unsigned size) {
  unsigned what = fuzz_below(f->input, 16);
  uint64_t offset = what < 8 ? f->at : what < 12 ? f->at + 4 : fuzz_number(f->input, what == 15 ? 4 : 1) * 0x1000;

  return offset % FLASH_BANK_SIZE / size * size;
}

static void command(Fixture *f) {
  static const uint8_t commands[] = {0x10, 0x20, 0x40, 0x50, 0x60, 0x70, 0x90, 0x98, 0xe8, 0xff, 0xd0, 0x01, 0x2f, 0xc0, 0xb0};

  write_bank(f, any_offset(f, 4), 4, commands[fuzz_below(f->input, sizeof commands)] * UINT32_C(0x10001));
}

static void word(Fixture *f) {
  unsigned size = 1u << fuzz_below(f->input, 3);

  write_bank(f, any_offset(f, size), size, (uint32_t)fuzz_number(f->input, size));
}

/* As many words as a buffer is to have. */
static void fill(Fixture *f) {
  unsigned n = fuzz_below(f->input, 256);
  uint64_t offset = any_offset(f, 4);

  write_bank(f, offset, 4, 0xe800e8);
  write_bank(f, offset, 4, n * UINT32_C(0x10001));
  for (unsigned i = 0; i <= n; i++)
    write_bank(f, (offset + 4 * (uint64_t)i) % FLASH_BANK_SIZE, 4, i);
  if (fuzz_below(f->input, 4) != 3)
    write_bank(f, offset, 4, 0xd000d0);
}

static void look(Fixture *f) {
  uint64_t offset = any_offset(f, 1);

  for (unsigned i = 0; i < 8 && offset + i < FLASH_BANK_SIZE; i++) {
    uint8_t byte = flash_bank_read(&f->bank, offset + i, 0x5a);
    g_assert_true(!flash_bank_is_array(&f->bank) || byte == 0x5a);
  }
  flash_bank_is_filling(&f->bank);
}

static void reset(Fixture *f) {
  flash_bank_reset(&f->bank);
  g_assert_true(flash_bank_is_array(&f->bank) && !flash_bank_is_filling(&f->bank));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static void (*const steps[])(Fixture *) = {command, command, command, word, word, fill, look, reset};
  FuzzInput input = {data, size};
  g_autofree Fixture *f = g_new0(Fixture, 1); /* with nothing behind it */

  f->input = &input;
  flash_bank_init(&f->bank, fuzz_number(&input, 1) & 1 ? WRITABLE : 0);
  for (unsigned i = 0; i < STEPS && input.left; i++)
    steps[fuzz_below(&input, G_N_ELEMENTS(steps))](f);
  return 0;
}
