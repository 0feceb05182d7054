/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A device in place of eret's scratch page, in programs for tests: what a guest writes to it has the vCPU's thread do
 * something that eret never would. The library's own is then not asked for.
 */
#pragma once

/* The program's: what is done at each write, on the vCPU's thread. */
void scratch_stand_in_written(void);
