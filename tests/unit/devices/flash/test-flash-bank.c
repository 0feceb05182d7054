/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of a bank's chips: devices/flash/flash-bank.c against JESD68.01 and the P30's command set. */
#include "devices/flash/flash-bank.h"

#include <glib.h>

#define BLOCK FLASH_BLOCK_SIZE
enum { READY = 0x80, ERASE_ERROR = 0x20, PROGRAM_ERROR = 0x10, VPP = 0x08, LOCKED = 0x02, SEQUENCE = ERASE_ERROR | PROGRAM_ERROR };

/* What one chip says at its word WORD. */
static unsigned rd(const FlashBank *bank, uint32_t word) {
  uint64_t at = (uint64_t)word * 4;
  unsigned value = flash_bank_read(bank, at, 0x5a) | (unsigned)flash_bank_read(bank, at + 1, 0xa5) << 8;

  g_assert_cmphex(flash_bank_read(bank, at + 2, 0x5a), ==, value & 0xff); /* and the other the same */
  g_assert_cmphex(flash_bank_read(bank, at + 3, 0xa5), ==, value >> 8);
  return value;
}

static FlashOperation wr(FlashBank *bank, uint64_t offset, unsigned value) {
  return flash_bank_write(bank, offset, 4, value | value << 16);
}

/* The status, left as it was, and cleared. */
static unsigned take_status(FlashBank *bank) {
  wr(bank, 0, 0x70);
  unsigned status = rd(bank, 0x123456);
  wr(bank, 0, 0x50);
  g_assert_cmphex(rd(bank, 0), ==, READY);
  return status;
}

static void test_modes(void) {
  FlashBank bank;

  flash_bank_init(&bank, FLASH_BANK_SIZE);
  g_assert_true(flash_bank_is_array(&bank));
  g_assert_cmphex(rd(&bank, 7), ==, 0xa55a);
  wr(&bank, 0x55 * 4, 0x98);
  g_assert_false(flash_bank_is_array(&bank));
  for (uint32_t base = 0; base < 3 * BLOCK / 4; base += BLOCK / 4) { /* in each block */
    g_assert_cmpuint(rd(&bank, base + 0x10), ==, 'Q');
    g_assert_cmpuint(rd(&bank, base + 0x11), ==, 'R');
    g_assert_cmpuint(rd(&bank, base + 0x12), ==, 'Y');
  }
  uint32_t extended = rd(&bank, 0x15) | rd(&bank, 0x16) << 8;
  g_assert_cmpuint(rd(&bank, 0x13) | rd(&bank, 0x14) << 8, ==, 1); /* Intel's command set */
  g_assert_cmpuint(rd(&bank, extended), ==, 'P');
  g_assert_cmpuint(rd(&bank, extended + 1), ==, 'R');
  g_assert_cmpuint(rd(&bank, extended + 2), ==, 'I');
  g_assert_cmpuint(UINT64_C(2) << rd(&bank, 0x27), ==, FLASH_BANK_SIZE); /* both chips' */
  g_assert_cmpuint(2u << rd(&bank, 0x2a), ==, FLASH_BUFFER_SIZE);
  g_assert_cmpuint(rd(&bank, 0x2c), ==, 1);
  g_assert_cmpuint((rd(&bank, 0x2d) | rd(&bank, 0x2e) << 8) + 1, ==, FLASH_BLOCKS);
  g_assert_cmpuint((rd(&bank, 0x2f) | rd(&bank, 0x30) << 8) * 256 * 2, ==, BLOCK);
  g_assert_cmpuint(rd(&bank, 0x1000), ==, 0); /* behind the table */
  wr(&bank, 0, 0xff90);                       /* of a command the upper half means nothing */
  g_assert_cmphex(rd(&bank, 0), ==, 0x89);
  g_assert_cmphex(rd(&bank, 1), ==, 0x1d);
  wr(&bank, 0, 0x70);
  g_assert_cmphex(rd(&bank, 0x10), ==, READY);
  wr(&bank, 0, 0xf0); /* another vendor's: no command */
  g_assert_cmphex(rd(&bank, 0x10), ==, READY);
  wr(&bank, 0, 0xff);
  g_assert_true(flash_bank_is_array(&bank));
}

static void test_program(void) {
  FlashBank bank;

  flash_bank_init(&bank, 2 * BLOCK);
  for (unsigned i = 0; i < 2; i++)
    for (unsigned size = 1; size <= 4; size *= 2) {
      g_assert_cmpint(wr(&bank, 20, i ? 0x10 : 0x40).kind, ==, FLASH_NOTHING);
      FlashOperation operation = flash_bank_write(&bank, 20, size, 0x12345678);
      g_assert_cmpint(operation.kind, ==, FLASH_PROGRAM);
      g_assert_cmpuint(operation.offset, ==, 20);
      g_assert_cmpuint(operation.size, ==, size);
      g_assert_cmpmem(operation.bytes, size, "\x78\x56\x34\x12", size);
      g_assert_cmpstr(operation.event, ==, "program");
      g_assert_cmphex(take_status(&bank), ==, READY);
    }
  /* Behind what can be written. */
  wr(&bank, 2 * BLOCK, 0x40);
  g_assert_cmpint(wr(&bank, 2 * BLOCK, 0).kind, ==, FLASH_NOTHING);
  g_assert_cmphex(take_status(&bank), ==, READY | PROGRAM_ERROR | LOCKED);
  /* Protection registers, which there are none of: the word is no command. */
  wr(&bank, 0, 0xc0);
  wr(&bank, 0, 0xff);
  g_assert_false(flash_bank_is_array(&bank));
  g_assert_cmphex(take_status(&bank), ==, READY | PROGRAM_ERROR | LOCKED);
  /* What went wrong behind the chips is in their status, too. */
  flash_bank_failed(&bank, FLASH_PROGRAM);
  g_assert_cmphex(take_status(&bank), ==, READY | PROGRAM_ERROR | VPP);
}

static void test_erase(void) {
  FlashBank bank;

  flash_bank_init(&bank, 2 * BLOCK);
  wr(&bank, BLOCK + 76, 0x20);
  FlashOperation operation = wr(&bank, BLOCK + 76, 0xd0);
  g_assert_cmpint(operation.kind, ==, FLASH_ERASE);
  g_assert_cmpuint(operation.offset, ==, BLOCK);
  g_assert_cmpuint(operation.size, ==, BLOCK);
  g_assert_cmphex(take_status(&bank), ==, READY);
  wr(&bank, 0, 0x20);
  g_assert_cmpint(wr(&bank, 0, 0xff).kind, ==, FLASH_NOTHING); /* not confirmed */
  g_assert_cmphex(take_status(&bank), ==, READY | SEQUENCE);
  wr(&bank, 0, 0x20);
  g_assert_cmpint(wr(&bank, FLASH_BANK_SIZE - 4, 0xd0).kind, ==, FLASH_NOTHING);
  g_assert_cmphex(take_status(&bank), ==, READY | ERASE_ERROR | LOCKED);
  flash_bank_failed(&bank, FLASH_ERASE);
  g_assert_cmphex(take_status(&bank), ==, READY | ERASE_ERROR | VPP);
}

/* COUNT words from OFFSET on, as a driver does it; the last write confirms, with CONFIRMATION. */
static FlashOperation buffered(FlashBank *bank, uint64_t offset, unsigned count, unsigned confirmation) {
  wr(bank, offset, 0xe8);
  g_assert_cmphex(rd(bank, 0), ==, READY);
  wr(bank, offset, count - 1);
  for (unsigned i = 0; i < count; i++) {
    g_assert_true(flash_bank_is_filling(bank));
    g_assert_cmpint(flash_bank_write(bank, offset + i * 4, 4, 0xff00ff00 + i).kind, ==, FLASH_NOTHING); /* 0xff is data here */
  }
  g_assert_true(flash_bank_is_filling(bank));
  FlashOperation operation = wr(bank, offset, confirmation);
  g_assert_false(flash_bank_is_filling(bank));
  return operation;
}

static void test_buffer(void) {
  enum { WORDS = FLASH_BUFFER_SIZE / 4 };
  FlashBank bank;

  flash_bank_init(&bank, FLASH_BANK_SIZE);
  FlashOperation operation = buffered(&bank, 300, WORDS, 0xd0);
  g_assert_cmpint(operation.kind, ==, FLASH_PROGRAM);
  g_assert_cmpuint(operation.offset, ==, 300);
  g_assert_cmpuint(operation.size, ==, FLASH_BUFFER_SIZE);
  for (unsigned i = 0; i < WORDS; i++)
    g_assert_cmphex(operation.bytes[i * 4], ==, i);
  g_assert_cmphex(take_status(&bank), ==, READY);

  g_assert_cmpint(buffered(&bank, 0, 4, 0x12).kind, ==, FLASH_NOTHING);
  g_assert_cmphex(take_status(&bank), ==, READY | SEQUENCE);
  g_assert_cmpint(buffered(&bank, BLOCK - 8, 4, 0xd0).kind, ==, FLASH_NOTHING); /* across two blocks */
  g_assert_cmphex(take_status(&bank), ==, READY | SEQUENCE);
  g_assert_cmpint(buffered(&bank, FLASH_BANK_SIZE - 8, 4, 0xd0).kind, ==, FLASH_NOTHING); /* beyond the end */
  g_assert_cmphex(take_status(&bank), ==, READY | SEQUENCE);
  g_assert_cmpint(buffered(&bank, 0, WORDS + 1, 0xd0).kind, ==, FLASH_NOTHING); /* more than there is room for */
  g_assert_cmphex(take_status(&bank), ==, READY | SEQUENCE);
  wr(&bank, 0, 0xe8);
  wr(&bank, 0, FLASH_BUFFER_SIZE / 2); /* at any width */
  g_assert_false(flash_bank_is_filling(&bank));
  g_assert_cmphex(take_status(&bank), ==, READY | SEQUENCE);

  /* Words that are not of the buffer, below it and behind; and one that comes twice, which leaves a hole. */
  static const uint64_t misplaced[] = {396, 400 + FLASH_BUFFER_SIZE, 0, FLASH_BANK_SIZE - 4};
  for (unsigned i = 0; i < G_N_ELEMENTS(misplaced); i++) {
    wr(&bank, 400, 0xe8);
    wr(&bank, 400, 1);
    wr(&bank, 400, 1);
    wr(&bank, misplaced[i], 2);
    g_assert_cmpint(wr(&bank, 400, 0xd0).kind, ==, FLASH_NOTHING);
    g_assert_cmphex(take_status(&bank), ==, READY | SEQUENCE);
  }
  wr(&bank, 400, 0xe8);
  wr(&bank, 400, 2);
  flash_bank_write(&bank, 400, 4, 1);
  flash_bank_write(&bank, 400, 2, 2);
  flash_bank_write(&bank, 406, 1, 3);
  operation = wr(&bank, 400, 0xd0);
  g_assert_cmpuint(operation.size, ==, 7);
  g_assert_cmpmem(operation.bytes, operation.size, "\2\0\0\0\377\377\3", 7);
}

static unsigned lock_of(FlashBank *bank, unsigned block) {
  wr(bank, 0, 0x90);
  return rd(bank, block * (BLOCK / 4) + 2);
}

static unsigned set_lock(FlashBank *bank, unsigned block, unsigned how) {
  wr(bank, (uint64_t)block * BLOCK, 0x60);
  wr(bank, (uint64_t)block * BLOCK, how);
  return take_status(bank);
}

static void test_locks(void) {
  FlashBank bank;

  flash_bank_init(&bank, 4 * BLOCK);
  g_assert_cmphex(lock_of(&bank, 1), ==, 0);
  g_assert_cmphex(set_lock(&bank, 1, 0x01), ==, READY);
  g_assert_cmphex(lock_of(&bank, 1), ==, 1);
  g_assert_cmphex(lock_of(&bank, 0), ==, 0); /* no other */
  g_assert_cmphex(lock_of(&bank, 2), ==, 0);
  wr(&bank, BLOCK, 0x20);
  g_assert_cmpint(wr(&bank, BLOCK, 0xd0).kind, ==, FLASH_NOTHING);
  g_assert_cmphex(take_status(&bank), ==, READY | ERASE_ERROR | LOCKED);
  g_assert_cmpint(buffered(&bank, BLOCK + 8, 2, 0xd0).kind, ==, FLASH_NOTHING);
  g_assert_cmphex(take_status(&bank), ==, READY | PROGRAM_ERROR | LOCKED);
  g_assert_cmphex(set_lock(&bank, 1, 0xd0), ==, READY);
  g_assert_cmphex(lock_of(&bank, 1), ==, 0);

  g_assert_cmphex(set_lock(&bank, 2, 0x2f), ==, READY);
  g_assert_cmphex(lock_of(&bank, 2), ==, 3);
  g_assert_cmphex(set_lock(&bank, 2, 0xd0), ==, READY | ERASE_ERROR | LOCKED);
  g_assert_cmphex(set_lock(&bank, 2, 0x44), ==, READY | SEQUENCE);
  flash_bank_reset(&bank);
  g_assert_true(flash_bank_is_array(&bank));
  g_assert_cmphex(lock_of(&bank, 2), ==, 0);

  /* What can never be changed is locked for good. */
  g_assert_cmphex(lock_of(&bank, 4), ==, 3);
  g_assert_cmphex(set_lock(&bank, 4, 0xd0), ==, READY | ERASE_ERROR | LOCKED);
  g_assert_cmphex(lock_of(&bank, FLASH_BLOCKS - 1), ==, 3);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/flash-bank/modes", test_modes);
  g_test_add_func("/flash-bank/program", test_program);
  g_test_add_func("/flash-bank/erase", test_erase);
  g_test_add_func("/flash-bank/buffer", test_buffer);
  g_test_add_func("/flash-bank/locks", test_locks);
  return g_test_run();
}
