/* SPDX-License-Identifier: Apache-2.0 */
#include "guest.h"

#include "cpus.h"
#include "exception.h"
#include "text.h"

#define LINE_MAX 200

static unsigned n_checks, n_failed;
static char first_failure[LINE_MAX];

static void format_line(char line[LINE_MAX], const char *format, va_list arguments) {
  line[text_format(line, LINE_MAX - 1, format, arguments)] = '\0';
}

void check(bool passed, const char *format, ...) {
  char line[LINE_MAX];
  va_list arguments;

  va_start(arguments, format);
  format_line(line, format, arguments);
  va_end(arguments);
  print("%sok %u - %s\n", passed ? "" : "not ", ++n_checks, line);
  if (!passed && n_failed++ == 0)
    memcpy(first_failure, line, sizeof line);
}

void check_skipped(const char *text, const char *why) {
  print("ok %u - %s # SKIP %s\n", ++n_checks, text, why);
}

/* SMC can be an undefined instruction: step over it, as if it had answered. */
static bool refuse_undefined(ExceptionFrame *frame, unsigned vector) {
  (void)vector;
  if (ESR_EC(frame->esr) != EC_UNKNOWN)
    return false;
  frame->elr += INSTRUCTION_SIZE;
  frame->x[0] = 0;
  return true;
}

#define SMCCC_VERSION 0x80000000u /* DEN 0028, 7.2: answered by all who answer anything, never with 0 */

bool door_works(enum eret_door_kind kind) {
  struct eret_door door = {kind, NULL};
  uint64_t x[ERET_N_REGISTERS] = {0};

  SyncHandler before = exception_set_sync_handler(refuse_undefined);
  int64_t answer = eret_call(door, SMCCC_VERSION, x, 0, 1);
  exception_set_sync_handler(before);
  return answer != 0;
}

static bool answers(struct eret_door door) {
  return door.kind == ERET_DOOR_PAGE ? machine.doorbell && eret_version(door, NULL, NULL) == ERET_SUCCESS
                                     : door_works(door.kind) && eret_version(door, NULL, NULL) == ERET_SUCCESS;
}

bool eret_find(struct eret_door *door) {
  const struct eret_door doors[] = {machine.eret, machine.psci, {ERET_DOOR_PAGE, (void *)machine.doorbell}};

  for (unsigned i = 0; i < sizeof doors / sizeof *doors; i++) {
    *door = doors[i];
    if (answers(*door))
      return true;
  }
  return false;
}

/* The exit status is for whoever runs a guest as a test. */
static void __attribute__((noreturn)) end(bool failed) {
  struct eret_door door;

  if (failed && eret_find(&door))
    eret_exit(door, 1);
  power_off();
}

void guest_fail(const char *format, ...) {
  char line[LINE_MAX];
  va_list arguments;

  va_start(arguments, format);
  format_line(line, format, arguments);
  va_end(arguments);
  print("FAIL %s: %s\n", guest_name, line);
  end(true);
}

void guest_skip(const char *format, ...) {
  char line[LINE_MAX];
  va_list arguments;

  va_start(arguments, format);
  format_line(line, format, arguments);
  va_end(arguments);
  print("SKIP %s: %s\n", guest_name, line);
  end(false);
}

/* From start.S. */
void runtime_main(const void *fdt, unsigned entry_el);
void runtime_main(const void *fdt, unsigned entry_el) {
  machine_discover(fdt, entry_el);
  if (!machine.fdt)
    guest_skip("no device tree; every loader of Linux kernels gives one to build/guests/%s.Image", guest_name);
  guest_main();
  if (n_checks)
    print("1..%u\n", n_checks);
  if (n_failed)
    guest_fail("%u of %u checks, the first: %s", n_failed, n_checks, first_failure);
  print("PASS %s\n", guest_name);
  end(false);
}
