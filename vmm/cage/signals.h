/* SPDX-License-Identifier: Apache-2.0 */
/* The signals that a machine's threads send each other. */
#pragma once

#include <signal.h>

/* As numbers, for tables: SIGRTMIN is a call in the C library, which keeps two of Linux's 32 to 64 for itself. */
#define CAGE_SIGNAL_KICK   34 /* to a vCPU's thread: leave KVM_RUN; SIGRTMIN */
#define CAGE_SIGNAL_BROKEN 35 /* to the main thread: another has met its filter; SIGRTMIN + 1 */
