/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs at EL0. Their memory is that of the guest, at USER_WINDOW above its addresses (mmu.h). Any code can be one
 * that does not depend on where it lies, and ends with SVC #USER_LEAVE.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "exception.h"

#define USER_LEAVE 0x1e /* what a program at EL0 says when it is done; user.c has the number in assembly */

/*
 * Runs PROGRAM at EL0, with ARGUMENT in x0, until it leaves; the guest's handler of exceptions has to call user_left.
 */
void user_run(void (*program)(void), uint64_t argument);
/* For a handler: true, and FRAME is as it has to be, where the exception is the end of the program. */
bool user_left(ExceptionFrame *frame);
