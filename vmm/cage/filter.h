/* SPDX-License-Identifier: Apache-2.0 */
/* Rules as a program for the kernel. Linux: Documentation/userspace-api/seccomp_filter.rst; bpf(4) of BSD. */
#pragma once

#include <glib.h>
#include <linux/filter.h>
#include <stdint.h>

#include "vmm/cage/rules.h"

/*
 * The filter (GArray of struct sock_filter) of a thread for these purposes (CageThread bits): what no rule allows is
 * trapped (SIGSYS). PASS: what is asked for by the instruction before this address is allowed; 0: nothing is.
 */
GArray *cage_filter_new(unsigned threads, uint64_t pass);
