/* SPDX-License-Identifier: Apache-2.0 */
/* Commands, status and query; see the header. */
#include "devices/flash/flash-bank.h"

#include <glib.h>
#include <string.h>

#define CHIPS     2u
#define WORD_SIZE 4u /* bytes: a word of each chip */

/* Commands: P30, "Command set". */
enum {
  READ_ARRAY = 0xff,
  READ_STATUS = 0x70,
  READ_IDENTIFIER = 0x90,
  READ_QUERY = 0x98,
  CLEAR_STATUS = 0x50,
  PROGRAM = 0x40,
  PROGRAM_ALTERNATE = 0x10,
  BUFFERED_PROGRAM = 0xe8,
  BLOCK_ERASE = 0x20,
  SUSPEND = 0xb0,
  CONFIRM = 0xd0, /* RESUME, too: of what is never suspended */
  LOCK_SETUP = 0x60,
  LOCK = 0x01,
  UNLOCK = CONFIRM,
  LOCK_DOWN = 0x2f,
  WRITE_CONFIGURATION = 0x03,
  PROTECTION_PROGRAM = 0xc0,
};

/* Status register: P30, "Status register description". */
enum { SR_READY = 1 << 7, SR_ERASE = 1 << 5, SR_PROGRAM = 1 << 4, SR_VPP = 1 << 3, SR_LOCKED = 1 << 1 };

/* Identifier codes: J3 256 Mbit. At 2 of each block is its lock; at 5 what Read Configuration has at power-on. */
enum { ID_MANUFACTURER = 0x89, ID_DEVICE = 0x1d, ID_AT_LOCK = 2, ID_AT_CONFIGURATION = 5, ID_CONFIGURATION = 0xbfcf };

/* The query, from its first word on: JESD68.01, 4 (tables of CFI); P30, "Common Flash Interface". */
enum { QUERY_AT = 0x10, QUERY_EXTENDED = 0x31 };
/* clang-format off */
static const uint8_t query[] = {
    'Q', 'R', 'Y',                             /* 10 */
    0x01, 0x00,                                /* 13: command set 0001, Intel/Sharp Extended */
    QUERY_EXTENDED, 0x00,                      /* 15: where its table is */
    0x00, 0x00, 0x00, 0x00,                    /* 17: no alternative one */
    0x17, 0x20, 0x85, 0x95,                    /* 1b: Vcc 1.7 to 2.0 V, Vpp 8.5 to 9.5 V */
    0x06, 0x06, 0x09, 0x00,                    /* 1f: 2^n us a word, a buffer, 2^n ms a block; the whole chip: not at once */
    0x03, 0x03, 0x03, 0x00,                    /* 23: 2^n times that at most */
    0x19,                                      /* 27: 2^n bytes */
    0x01, 0x00,                                /* 28: x16 alone */
    0x09, 0x00,                                /* 2a: 2^n bytes of buffer */
    0x01,                                      /* 2c: one region of equal blocks: */
    (FLASH_BLOCKS - 1) & 0xff, 0x00,           /* 2d: blocks, less one */
    0x00, FLASH_BLOCK_SIZE / CHIPS / 256 >> 8, /* 2f: bytes of a block, in units of 256 */
    'P', 'R', 'I', '1', '1',                   /* 31: the extended query, version 1.1 */
    0x20, 0x00, 0x00, 0x00,                    /* 36: blocks are locked at once, each alone */
    0x00,                                      /* 3a: nothing can be done while something is suspended */
    0x03, 0x00,                                /* 3b: lock bits that mean something: locked, locked down */
    0x18, 0x90,                                /* 3d: best Vcc 1.8 V, Vpp 9.0 V */
    0x00,                                      /* 3f: no protection registers */
};
/* clang-format on */

G_STATIC_ASSERT(FLASH_BLOCKS - 1 <= 0xff);
G_STATIC_ASSERT(FLASH_BUFFER_SIZE == CHIPS << 9);
G_STATIC_ASSERT(FLASH_BANK_SIZE == (uint64_t)CHIPS << 0x19);

static unsigned block_of(uint64_t offset) {
  return (unsigned)(offset / FLASH_BLOCK_SIZE);
}

static bool has_bit(const uint8_t *bits, unsigned block) {
  return bits[block / 8] >> block % 8 & 1;
}

static void set_bit(uint8_t *bits, unsigned block, bool value) {
  bits[block / 8] = (uint8_t)((bits[block / 8] & ~(1u << block % 8)) | (unsigned)value << block % 8);
}

static bool is_locked_down(const FlashBank *bank, uint64_t offset) {
  return offset >= bank->writable || has_bit(bank->state.locked_down, block_of(offset));
}

static bool is_locked(const FlashBank *bank, uint64_t offset) {
  return is_locked_down(bank, offset) || has_bit(bank->state.locked, block_of(offset));
}

void flash_bank_init(FlashBank *bank, uint64_t writable) {
  *bank = (FlashBank){.writable = writable};
  flash_bank_reset(bank);
}

void flash_bank_reset(FlashBank *bank) {
  bank->state = (FlashBankState){.status = SR_READY};
}

/* Of a chip's words, by their number in the block: each block has them. */
static unsigned read_identifier(const FlashBank *bank, uint64_t offset) {
  switch (offset % FLASH_BLOCK_SIZE / WORD_SIZE) {
  case 0:
    return ID_MANUFACTURER;
  case 1:
    return ID_DEVICE;
  case ID_AT_LOCK:
    return (unsigned)(is_locked(bank, offset) | is_locked_down(bank, offset) << 1);
  case ID_AT_CONFIGURATION:
    return ID_CONFIGURATION;
  default:
    return 0;
  }
}

static unsigned read_query(const FlashBank *bank, uint64_t offset) {
  unsigned at = (unsigned)(offset % FLASH_BLOCK_SIZE / WORD_SIZE);

  if (at < QUERY_AT)
    return read_identifier(bank, offset);
  return at - QUERY_AT < sizeof query ? query[at - QUERY_AT] : 0;
}

uint8_t flash_bank_read(const FlashBank *bank, uint64_t offset, uint8_t array) {
  unsigned word;

  switch (bank->state.mode) {
  case FLASH_READ_STATUS:
    word = bank->state.status;
    break;
  case FLASH_READ_IDENTIFIER:
    word = read_identifier(bank, offset);
    break;
  case FLASH_READ_QUERY:
    word = read_query(bank, offset);
    break;
  default:
    return array;
  }
  return (uint8_t)(word >> offset % 2 * 8); /* both chips say the same */
}

bool flash_bank_is_array(const FlashBank *bank) {
  return bank->state.mode == FLASH_READ_ARRAY;
}

bool flash_bank_is_filling(const FlashBank *bank) {
  return bank->state.step == FLASH_STEP_FILL || bank->state.step == FLASH_STEP_CONFIRM;
}

/* The command is over, and BITS say what was wrong with it. */
static FlashOperation refuse(FlashBank *bank, uint32_t bits, const char *event) {
  bank->state.step = FLASH_STEP_NONE;
  bank->state.status |= bits;
  return (FlashOperation){.event = event};
}

static FlashOperation refuse_sequence(FlashBank *bank) {
  return refuse(bank, SR_PROGRAM | SR_ERASE, "refused: no such sequence of commands");
}

static FlashOperation done(FlashBank *bank, const char *event) {
  return refuse(bank, 0, event);
}

static FlashOperation program(FlashBank *bank, uint32_t offset, uint32_t size, const char *event) {
  if (is_locked(bank, offset))
    return refuse(bank, SR_PROGRAM | SR_LOCKED, "program refused: the block is locked");
  bank->state.step = FLASH_STEP_NONE;
  return (FlashOperation){FLASH_PROGRAM, offset, size, bank->state.buffer, event};
}

static FlashOperation erase(FlashBank *bank, uint32_t offset) {
  if (is_locked(bank, offset))
    return refuse(bank, SR_ERASE | SR_LOCKED, "erase refused: the block is locked");
  bank->state.step = FLASH_STEP_NONE;
  return (FlashOperation){FLASH_ERASE, offset - offset % FLASH_BLOCK_SIZE, FLASH_BLOCK_SIZE, NULL, "block erase"};
}

static FlashOperation lock(FlashBank *bank, uint64_t offset, unsigned command) {
  unsigned block = block_of(offset);

  switch (command) {
  case LOCK:
    set_bit(bank->state.locked, block, true);
    return done(bank, "lock");
  case UNLOCK:
    if (is_locked_down(bank, offset))
      return refuse(bank, SR_ERASE | SR_LOCKED, "unlock refused: the block is locked down");
    set_bit(bank->state.locked, block, false);
    return done(bank, "unlock");
  case LOCK_DOWN:
    set_bit(bank->state.locked_down, block, true);
    return done(bank, "lock down");
  case WRITE_CONFIGURATION: /* of burst reads, which this bus has not */
    return done(bank, "configuration");
  default:
    return refuse_sequence(bank);
  }
}

static void store(uint8_t *bytes, unsigned size, uint32_t value) {
  for (unsigned i = 0; i < size; i++)
    bytes[i] = (uint8_t)(value >> i * 8);
}

/* What does not come changes nothing. */
static FlashOperation count(FlashBank *bank, unsigned value) {
  FlashBankState *state = &bank->state;

  if (value >= FLASH_BUFFER_SIZE / 2)
    return refuse_sequence(bank);
  state->count = state->left = value + 1u;
  state->misplaced = state->size = 0;
  memset(state->buffer, 0xff, sizeof state->buffer);
  state->step = FLASH_STEP_FILL;
  return (FlashOperation){0};
}

/* The first write says where the buffer begins. */
static FlashOperation fill(FlashBank *bank, uint32_t offset, unsigned size, uint32_t value) {
  FlashBankState *state = &bank->state;

  if (state->left == state->count)
    state->first = offset;
  uint32_t at = offset - state->first;
  if (at > sizeof state->buffer - size) {
    state->misplaced = 1;
  } else {
    store(state->buffer + at, size, value);
    state->size = MAX(state->size, at + size);
  }
  if (--state->left == 0)
    state->step = FLASH_STEP_CONFIRM;
  return (FlashOperation){0};
}

static FlashOperation confirm(FlashBank *bank, unsigned command) {
  const FlashBankState *state = &bank->state;

  if (command != CONFIRM || state->misplaced || block_of(state->first) != block_of((uint64_t)state->first + state->size - 1))
    return refuse_sequence(bank);
  return program(bank, state->first, state->size, "buffered program");
}

/* The first write of a command: what it reads next, and what is to follow. What is not here is no command. */
static const struct {
  uint8_t command, mode, step;
  const char *event;
} commands[] = {
    {READ_ARRAY, FLASH_READ_ARRAY, FLASH_STEP_NONE, NULL},
    {READ_STATUS, FLASH_READ_STATUS, FLASH_STEP_NONE, NULL},
    {READ_IDENTIFIER, FLASH_READ_IDENTIFIER, FLASH_STEP_NONE, "read identifier"},
    {READ_QUERY, FLASH_READ_QUERY, FLASH_STEP_NONE, "read query"},
    {PROGRAM, FLASH_READ_STATUS, FLASH_STEP_PROGRAM, NULL},
    {PROGRAM_ALTERNATE, FLASH_READ_STATUS, FLASH_STEP_PROGRAM, NULL},
    {BUFFERED_PROGRAM, FLASH_READ_STATUS, FLASH_STEP_COUNT, NULL},
    {BLOCK_ERASE, FLASH_READ_STATUS, FLASH_STEP_ERASE, NULL},
    {LOCK_SETUP, FLASH_READ_STATUS, FLASH_STEP_LOCK, NULL},
    {PROTECTION_PROGRAM, FLASH_READ_STATUS, FLASH_STEP_PROTECTION, NULL},
};

static FlashOperation begin(FlashBank *bank, unsigned command) {
  if (command == CLEAR_STATUS)
    bank->state.status = SR_READY;
  for (unsigned i = 0; i < G_N_ELEMENTS(commands); i++) {
    if (commands[i].command != command)
      continue;
    bank->state.mode = commands[i].mode;
    bank->state.step = commands[i].step;
    return (FlashOperation){.event = commands[i].event};
  }
  return (FlashOperation){0};
}

FlashOperation flash_bank_write(FlashBank *bank, uint64_t offset, unsigned size, uint32_t value) {
  unsigned command = value & 0xff; /* of a command the rest means nothing */
  uint32_t at = (uint32_t)offset;

  switch (bank->state.step) {
  case FLASH_STEP_PROGRAM:
    store(bank->state.buffer, size, value);
    return program(bank, at, size, "program");
  case FLASH_STEP_ERASE:
    return command == CONFIRM ? erase(bank, at) : refuse_sequence(bank);
  case FLASH_STEP_LOCK:
    return lock(bank, at, command);
  case FLASH_STEP_PROTECTION:
    return refuse(bank, SR_PROGRAM | SR_LOCKED, "program refused: there are no protection registers");
  case FLASH_STEP_COUNT:
    return count(bank, size > 1 ? value & 0xffff : command);
  case FLASH_STEP_FILL:
    return fill(bank, at, size, value);
  case FLASH_STEP_CONFIRM:
    return confirm(bank, command);
  default:
    return begin(bank, command);
  }
}

void flash_bank_failed(FlashBank *bank, FlashOperationKind kind) {
  bank->state.status |= SR_VPP | (kind == FLASH_ERASE ? SR_ERASE : SR_PROGRAM);
}
