/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the kernel's raw trace data to TraceRecord. The layout of an event is not fixed: the kernel describes it
 * (tracefs `format`), libtraceevent reads that.
 */
#pragma once

#include <event-parse.h>
#include <stdbool.h>

#include "vmm/observe/record.h"

typedef struct KernelDecoder KernelDecoder;

/* Looks up in TEP the fields of each event it knows. TEP must outlive it. */
KernelDecoder *kernel_decoder_new(struct tep_handle *tep);
void kernel_decoder_free(KernelDecoder *decoder); /* takes NULL */

/* Fills *RECORD but for `vcpu`. False: not an event for recordings. */
bool kernel_decode(const KernelDecoder *decoder, int event_id, struct tep_record *raw, TraceRecord *record);

/* The tracepoints (system kvm) to turn on, by number from 0; NULL behind the last. */
const char *kernel_event_name(unsigned n);
