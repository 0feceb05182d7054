/* SPDX-License-Identifier: Apache-2.0 */
/* The smallest guest: prints a line, powers off. */
#include "bare.inc"

guest_start
    print   message
    power_off

message:
    .asciz  "hello from EL1\n"
