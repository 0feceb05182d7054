/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a bank of NOR flash reads, and what a write to it means: two chips of 32 MiB side by side, each 16 bits wide, in
 * blocks of 128 KiB, with Intel's command set. The array itself is its owner's, which carries out what a command asks
 * for and says how it went. A command is over at once: the chips are ready whenever they are asked.
 *
 * The chips are always told the same, whatever part of the 32 bits a write drives. That is so on QEMU's `virt` machine,
 * and firmware for it has come to need it: U-Boot finds these chips by accesses of 16 bits, and then programs one half
 * of them by commands to the other.
 *
 * Sources: JEDEC JESD68.01 (Common Flash Interface), JEP137 (command set 0001h); the data sheets of Intel StrataFlash
 * J3 (290667) and P30 (306666) for commands, status register and the extended query.
 *
 * No lock: its owner's.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define FLASH_BANK_SIZE   UINT64_C(0x4000000) /* bytes */
#define FLASH_BLOCK_SIZE  0x40000u            /* bytes, of both chips */
#define FLASH_BUFFER_SIZE 1024u               /* bytes that are programmed at once, at most; of both chips */
#define FLASH_BLOCKS      ((unsigned)(FLASH_BANK_SIZE / FLASH_BLOCK_SIZE))

typedef enum { FLASH_READ_ARRAY, FLASH_READ_STATUS, FLASH_READ_IDENTIFIER, FLASH_READ_QUERY } FlashReadMode;

/* Between the writes of a command. */
typedef enum {
  FLASH_STEP_NONE,
  FLASH_STEP_PROGRAM,    /* the word follows */
  FLASH_STEP_ERASE,      /* the confirmation follows, as below */
  FLASH_STEP_LOCK,       /* what is to be done with the lock follows */
  FLASH_STEP_PROTECTION, /* a word of the protection registers follows */
  FLASH_STEP_COUNT,      /* of a buffer: the number of writes that fill it follows, less one */
  FLASH_STEP_FILL,       /* these follow */
  FLASH_STEP_CONFIRM,
} FlashStep;

/* What the guest can see of it. */
typedef struct {
  uint32_t mode; /* FlashReadMode */
  uint32_t step; /* FlashStep */
  uint32_t status;
  uint32_t first, size; /* of the buffer: its first byte's offset, and the bytes up to the last that was written */
  uint32_t count, left; /* the writes that fill it, and how many of them are to come */
  uint32_t misplaced;   /* one was not of the buffer */
  uint8_t buffer[FLASH_BUFFER_SIZE];
  uint8_t locked[FLASH_BLOCKS / 8];      /* bit of a block, until the next reset */
  uint8_t locked_down[FLASH_BLOCKS / 8]; /* and it cannot be unlocked before */
} FlashBankState;

typedef struct {
  FlashBankState state;
  uint64_t writable; /* bytes: what lies behind can never be changed */
} FlashBank;

typedef enum { FLASH_NOTHING, FLASH_PROGRAM, FLASH_ERASE } FlashOperationKind;

/* What a command asks for: to clear bits of SIZE bytes from OFFSET on, all in a block, or to set all of that block. */
typedef struct {
  FlashOperationKind kind;
  uint32_t offset, size;
  const uint8_t *bytes; /* FLASH_PROGRAM; the bank's, until its next write */
  const char *event;    /* what happened, for traces: "program", "refused: the block is locked"; NULL: nothing to speak of */
} FlashOperation;

/* WRITABLE: the bytes that can be changed, from the first one on. */
void flash_bank_init(FlashBank *bank, uint64_t writable);
/* Back to power-on. */
void flash_bank_reset(FlashBank *bank);

/* What the byte at OFFSET reads; ARRAY is what the array has there. */
uint8_t flash_bank_read(const FlashBank *bank, uint64_t offset, uint8_t array);
/* Whether it reads the array, whatever the address. */
bool flash_bank_is_array(const FlashBank *bank);
/*
 * Whether writes fill the buffer, or confirm it: whatever the next one is, it does not come to read the array by it.
 */
bool flash_bank_is_filling(const FlashBank *bank);

/*
 * VALUE, of SIZE bytes (1, 2 or 4), is written to OFFSET, a multiple of it. What is to be done comes back; once it is
 * tried, flash_bank_failed says if it went wrong.
 */
FlashOperation flash_bank_write(FlashBank *bank, uint64_t offset, unsigned size, uint32_t value);
void flash_bank_failed(FlashBank *bank, FlashOperationKind kind);
