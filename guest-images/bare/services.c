/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All of eret's own services through each of its doors: HVC, SMC and the doorbell page. Results, limits, refusals, and
 * that no other register changes. docs/hypercalls.md is what is checked. Prints TAP, and between its lines what
 * eret_write writes.
 *
 * Boot arguments: need=hvc, smc, doorbell or all: has that door's absence fail instead of being skipped. exit=N: ends
 * by eret_exit(N) through the last door that works, instead of powering off.
 */
#include "guest.h"
#include "text.h"

const char *const guest_name = "services";

#define INTERFACE_MAJOR 1
#define FUNCTIONS       0x7f /* bits of the functions 0 to 6 */
#define UNUSED_FUNCTION 0xc6004542u
#define YEAR_2020_NS    1577836800000000000ull
#define EXIT_CODE_MAX   255

typedef struct {
  const char *name;
  struct eret_door door;
} Door;

static void check_version(const Door *door) {
  uint64_t version = 0, functions = 0;
  int64_t result = eret_version(door->door, &version, &functions);

  check(result == ERET_SUCCESS && version >> 16 == INTERFACE_MAJOR, "%s: eret_version: %lu.%lu", door->name, version >> 16,
        version & 0xffff);
  check((functions & FUNCTIONS) == FUNCTIONS, "%s: it offers functions 0x%lx", door->name, functions);
}

/* Makes a call with X1 and X2 as the only arguments. */
static int64_t call(const Door *door, uint32_t function, uint64_t x1, uint64_t x2) {
  uint64_t x[ERET_N_REGISTERS] = {0, x1, x2};
  return eret_call(door->door, function, x, 2, 1);
}

static void expect(const Door *door, const char *what, int64_t got, int64_t wanted) {
  check(got == wanted, "%s: %s: %ld", door->name, what, got);
}

static void check_write(const Door *door) {
  char text[ERET_WRITE_MAX];
  size_t length = text_length(door->name);

  memset(text, '.', sizeof text);
  memcpy(text, door->name, length);
  text[sizeof text - 1] = '\n';
  expect(door, "eret_write, 1 byte", eret_write(door->door, "\n", 1), ERET_SUCCESS);
  expect(door, "eret_write, 128 bytes", eret_write(door->door, text, sizeof text), ERET_SUCCESS);
  expect(door, "eret_write, 0 bytes", call(door, ERET_FN_WRITE, 0, 0), ERET_INVALID_PARAMETER);
  expect(door, "eret_write, 129 bytes", call(door, ERET_FN_WRITE, ERET_WRITE_MAX + 1, 0), ERET_INVALID_PARAMETER);
  expect(door, "eret_write, 2^64 - 1 bytes", call(door, ERET_FN_WRITE, ~0ull, 0), ERET_INVALID_PARAMETER);
  expect(door, "eret_write, 2^32 + 1 bytes", call(door, ERET_FN_WRITE, (1ull << 32) + 1, 0), ERET_INVALID_PARAMETER);
}

static void check_mark(const Door *door) {
  char name[ERET_NAME_MAX];

  memset(name, 'm', sizeof name);
  expect(door, "eret_mark, no name", eret_mark(door->door, 1, NULL, 0), ERET_SUCCESS);
  expect(door, "eret_mark, 112 bytes of name", eret_mark(door->door, ~0ull, name, sizeof name), ERET_SUCCESS);
  expect(door, "eret_mark, 113 bytes of name", call(door, ERET_FN_MARK, 1, ERET_NAME_MAX + 1), ERET_INVALID_PARAMETER);
  expect(door, "eret_ready", eret_ready(door->door), ERET_SUCCESS);
}

static void check_time(const Door *door) {
  uint64_t first = 0, second = 0, real = 0;
  int64_t result = eret_time(door->door, &first, &real);

  expect(door, "eret_time", result, ERET_SUCCESS);
  check(real > YEAR_2020_NS, "%s: real time is later than 2020", door->name);
  eret_time(door->door, &second, NULL);
  check(second > first, "%s: monotonic time goes on", door->name);
}

static void check_refusals(const Door *door) {
  expect(door, "eret_exit of a code that is none", eret_exit(door->door, EXIT_CODE_MAX + 1), ERET_INVALID_PARAMETER);
  expect(door, "eret_exit of 2^32", eret_exit(door->door, 1ull << 32), ERET_INVALID_PARAMETER);
  expect(door, "a function that is none", call(door, UNUSED_FUNCTION, 0, 0), ERET_NOT_SUPPORTED);
  expect(door, "eret_nop's ID as a 32-bit call", call(door, ERET_FN_NOP & ~(1u << 30), 0, 0), ERET_NOT_SUPPORTED);
}

/* Results are x0 and what the function declares; x1 and on keep what was in them. */
static void check_registers(const Door *door) {
  uint64_t x[ERET_N_REGISTERS], changed = 0;

  for (unsigned i = 0; i < ERET_N_REGISTERS; i++)
    x[i] = 0x0101010101010101ull * i;
  int64_t result = eret_call(door->door, ERET_FN_NOP, x, ERET_N_REGISTERS - 1, ERET_N_REGISTERS);
  for (unsigned i = 1; i < ERET_N_REGISTERS; i++)
    if (x[i] != 0x0101010101010101ull * i)
      changed |= 1ull << i;
  check(result == ERET_SUCCESS && !changed, "%s: eret_nop changes x0 alone (others: 0x%lx)", door->name, changed);
}

static bool is_there(const Door *door) {
  if (door->door.kind == ERET_DOOR_PAGE)
    return machine.doorbell && eret_page_read32(door->door.page, ERET_PAGE_MAGIC) == ERET_MAGIC;
  return door_works(door->door.kind) && eret_version(door->door, NULL, NULL) == ERET_SUCCESS;
}

static bool check_door(const Door *door) {
  if (!is_there(door)) {
    if (argument_is("need", door->name) || argument_is("need", "all"))
      check(false, "%s: nobody answers", door->name);
    else
      check_skipped(door->name, "nobody answers there");
    return false;
  }
  check_version(door);
  check_write(door);
  check_mark(door);
  check_time(door);
  check_refusals(door);
  check_registers(door);
  return true;
}

void guest_main(void) {
  const Door doors[] = {
      {"hvc", {ERET_DOOR_HVC, NULL}},
      {"smc", {ERET_DOOR_SMC, NULL}},
      {"doorbell", {ERET_DOOR_PAGE, (void *)machine.doorbell}},
  };
  const Door *works = NULL;

  for (unsigned i = 0; i < sizeof doors / sizeof *doors; i++)
    if (check_door(&doors[i]))
      works = &doors[i];
  if (!works && !argument_present("need"))
    guest_skip("nobody answers eret's hypercalls here");
  if (works && argument_present("exit")) {
    print("leaving by %s\n", works->name);
    int64_t result = eret_exit(works->door, argument_number("exit", 0));
    guest_fail("eret_exit answers %ld", result);
  }
}
