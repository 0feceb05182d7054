/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Firmware that breaks its flash: started in it (flash-start.S), with 1 MiB of variables, it says anything to both
 * banks, at any place and width. Its own bank is as it was afterwards, memory that is not flash has not changed, and
 * the flash works: blocks are erased, words and buffers are programmed. The last checksum is that of crc32(1), of the
 * variables: what the guest reads is what the file holds.
 *
 * Boot argument: seed=N (1).
 */
#include "guest.h"
#include "hostile.h"

const char *const guest_name = "flash-hostile";

#define BANK_SIZE  0x4000000ull
#define VARS       BANK_SIZE
#define VARS_SIZE  0x100000u
#define BLOCK_SIZE 0x40000u
#define ROUNDS     6000
#define BOTH       0x00010001u /* a command to both chips */
#define ERASED     0xffffffffu
#define READY      (0x80 * BOTH)

/* The compiler is not to know that it may be 0, where it thinks that nothing is. */
static volatile uint32_t *word(uint64_t address) {
  __asm__("" : "+r"(address));
  return (volatile uint32_t *)address;
}

static void command(uint64_t address, uint32_t value) {
  *word(address) = value * BOTH;
}

/* Whatever was begun: a buffer is filled with what changes nothing, its confirmation refused, and the array is read. */
static void come_to_rest(uint64_t bank) {
  for (unsigned i = 0; i < 600; i++)
    command(bank, 0xff);
  command(bank, 0x50);
}

static uint64_t sum(uint64_t from, uint64_t size) {
  uint64_t total = size;

  for (uint64_t at = from; at < from + size; at += 8)
    total = (total << 7 | total >> 57) ^ *(volatile uint64_t *)at;
  return total;
}

/* CRC-32 of IEEE 802.3, as crc32(1) has it. */
static uint32_t crc32_of(uint64_t from, uint32_t size) {
  uint32_t crc = ~0u;

  for (uint64_t at = from; at < from + size; at += 4) {
    uint32_t value = *word(at);
    for (unsigned i = 0; i < 4; i++, value >>= 8) {
      crc ^= value & 0xff;
      for (unsigned k = 0; k < 8; k++)
        crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
    }
  }
  return ~crc;
}

static void write_any(uint64_t address, unsigned width, uint32_t value) {
  switch (width) {
  case 0:
    *(volatile uint8_t *)address = (uint8_t)value;
    break;
  case 1:
    *(volatile uint16_t *)(address & ~1ull) = (uint16_t)value;
    break;
  case 2:
    *word(address & ~3ull) = value * BOTH;
    break;
  default:
    *(volatile uint64_t *)(address & ~7ull) = (uint64_t)(value * BOTH) << 32 | value * BOTH;
  }
}

static void say_anything(void) {
  static const uint8_t commands[] = {0xff, 0x70, 0x90, 0x98, 0x50, 0x40, 0x10, 0xe8, 0x20, 0xd0, 0xb0, 0x60, 0x01, 0x2f, 0xc0, 0x00};
  uint64_t seen = 0;

  for (unsigned i = 0; i < ROUNDS; i++) {
    uint64_t bank = hostile_random(3) ? VARS : 0;
    uint64_t at = bank + (hostile_random(3) ? hostile_random(VARS_SIZE) : hostile_random((uint32_t)BANK_SIZE));
    if (hostile_random(4) == 0)
      seen ^= *word(at & ~3ull);
    else
      write_any(at, hostile_random(4), hostile_random(2) ? commands[hostile_random(sizeof commands)] : hostile_random(300));
  }
  print("%u things were said, and %lx was read\n", ROUNDS, seen);
}

static void check_query(uint64_t bank) {
  command(bank, 0x98);
  check(*word(bank + 0x10 * 4) == 'Q' * BOTH && *word(bank + 0x11 * 4) == 'R' * BOTH && *word(bank + 0x12 * 4) == 'Y' * BOTH,
        "the chips at 0x%lx say who they are", bank);
  command(bank, 0xff);
}

static uint32_t end(uint64_t bank) {
  command(bank, 0x70);
  uint32_t status = *word(bank);
  command(bank, 0x50);
  command(bank, 0xff);
  return status;
}

static void check_it_works(void) {
  command(VARS + BLOCK_SIZE, 0x60); /* it may have been locked */
  command(VARS + BLOCK_SIZE, 0xd0);
  end(VARS);
  command(VARS + BLOCK_SIZE, 0x20);
  command(VARS + BLOCK_SIZE, 0xd0);
  uint32_t status = end(VARS);
  if (status != READY) { /* and locked down, until a reset */
    check(status == READY + 0x22 * BOTH, "a block that cannot be erased is locked: status 0x%x", status);
    return;
  }
  check(*word(VARS + BLOCK_SIZE) == ERASED && *word(VARS + 2 * BLOCK_SIZE - 4) == ERASED, "a block is erased");
  command(VARS + BLOCK_SIZE, 0xe8);
  command(VARS + BLOCK_SIZE, 255);
  for (uint32_t i = 0; i < 256; i++)
    *word(VARS + BLOCK_SIZE + i * 4) = i;
  command(VARS + BLOCK_SIZE, 0xd0);
  check(end(VARS) == READY, "a buffer is programmed");
  bool right = true;
  for (uint32_t i = 0; i < 256; i++)
    right &= *word(VARS + BLOCK_SIZE + i * 4) == i;
  check(right && *word(VARS + BLOCK_SIZE + 1024) == ERASED, "and reads as it was written");
}

void guest_main(void) {
  check(machine.fdt == (const void *)0x40000000, "the device tree lies at the start of memory");
  hostile_begin();
  uint64_t firmware = sum(0, BLOCK_SIZE);
  uint64_t memory = sum((uint64_t)playground, PLAYGROUND_SIZE);
  check_query(0);
  check_query(VARS);
  command(0, 0x40);
  *word(0x1000) = 0;
  check(end(0) == READY + 0x12 * BOTH, "the firmware cannot be programmed: its blocks are locked");
  say_anything();
  come_to_rest(0);
  come_to_rest(VARS);
  check(sum(0, BLOCK_SIZE) == firmware, "the firmware is as it was");
  check(sum((uint64_t)playground, PLAYGROUND_SIZE) == memory, "so is memory");
  check_it_works();
  check(*word(VARS + VARS_SIZE) == ERASED, "behind the file of variables the flash is erased");
  print("crc32 %x\n", crc32_of(VARS, VARS_SIZE));
}
