/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a guest is written with. It defines guest_name and guest_main; the runtime starts it on the boot CPU with the
 * MMU on and interrupts masked. Whatever happens, the last line is one of
 *
 *   PASS name          FAIL name: why          SKIP name: why
 *
 * and the machine ends: PASS and SKIP power it off; FAIL ends it with status 1 where eret answers.
 */
#pragma once

#include "cpu.h"
#include "machine.h"
#include "print.h"

extern const char *const guest_name;
/* Returning is passing, if no check has failed. */
void guest_main(void);

/* A line of TAP: "ok 1 - text". The first failure becomes the reason of FAIL. Boot CPU alone. */
void check(bool passed, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "ok 2 - text # SKIP why" */
void check_skipped(const char *text, const char *why);

void guest_fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
void guest_skip(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/*
 * A door that eret answers by: that of the hypercall node, else HVC or SMC, as PSCI's, else the doorbell page. False:
 * there is none.
 */
bool eret_find(struct eret_door *door);
/*
 * Can HVC (SMC) be executed at all? Without an EL2 (EL3) they are undefined instructions. Tried out, by a call that
 * everybody answers or refuses.
 */
bool door_works(enum eret_door_kind kind);
