/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a machine as a list of moments: the steps of making it, the guest's first signs of life, its marks, its
 * end. Every machine has one: a few dozen entries. Printed as the boot's waterfall by --stats, and part of a recording.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/observe/recorder.h"

typedef enum {
  PHASE_PROCESS_START,      /* estimated: when eret was asked to run, less the processor time it had used by then */
  PHASE_OPTIONS_READ,       /* command line read */
  PHASE_RECORDING_BEGUN,    /* --record: the kernel's trace facilities are set up */
  PHASE_DEVICES_MADE,       /* files opened, memory reserved, devices */
  PHASE_KVM_OBJECTS_MADE,   /* VM, vCPUs, interrupt controller */
  PHASE_KERNEL_LOADED,      /* and everything that goes with it */
  PHASE_FIRST_INSTRUCTION,  /* KVM_RUN of the first vCPU */
  PHASE_FIRST_EXIT,         /* the guest touched something of eret's: device or hypercall */
  PHASE_FIRST_OUTPUT,       /* the first byte on the console */
  PHASE_TABLES_TAKEN,       /* firmware took the first of the tables that it hands on: ACPI's or SMBIOS's */
  PHASE_FIRST_DISK_REQUEST, /* of a disk that eret itself serves */
  PHASE_KERNEL_TAKEN,       /* firmware took the kernel that is handed to it */
  PHASE_KERNEL_STARTED,     /* Linux, or its EFI stub, said so on the console: what was before is firmware's */
  PHASE_FIRMWARE_LEFT,      /* Linux's EFI stub said that it leaves UEFI's boot services */
  PHASE_INIT,               /* the same */
  PHASE_READY,              /* eret_ready */
  PHASE_REBOOT,             /* one boot is over: what follows is of the next */
  PHASE_GUEST_END,          /* power-off, reset under --no-reboot, eret_exit, or a failure */
  PHASE_ENDED,              /* vCPUs stopped, devices served to the end */
  PHASE_MARK,               /* eret_mark: of the guest's own */
  PHASE_N
} Phase;

typedef struct {
  Phase phase;
  uint64_t ns;     /* CLOCK_MONOTONIC */
  uint64_t number; /* PHASE_MARK */
  char *text;      /* PHASE_MARK: the guest's, any bytes made printable */
} TimelineEntry;

typedef struct Timeline Timeline;

/* PROCESS_START is the first entry. */
Timeline *timeline_new(void);
void timeline_free(Timeline *timeline); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Timeline, timeline_free)

/* Hands what is there, and what comes, to the recorder. It must outlive the timeline, or be taken away with NULL. */
void timeline_record(Timeline *timeline, Recorder *recorder);

/*
 * Any thread. The FIRST_... phases, those of firmware and kernel, INIT and READY count once a boot; the list is
 * bounded: what is too much is dropped.
 */
void timeline_add(Timeline *timeline, Phase phase);
/* Whether PHASE has already happened in this boot: a cheap question before a costly look. */
bool timeline_has(const Timeline *timeline, Phase phase);
void timeline_mark(Timeline *timeline, uint64_t number, const char *text, uint64_t ns);

/* A copy, in order of time: of TimelineEntry. Free with g_array_unref. */
GArray *timeline_entries(const Timeline *timeline);
/* "first-instruction": in files; "first instruction": for people. */
const char *phase_name(Phase phase);
const char *phase_text(Phase phase);

/* The waterfall as text: a line a moment, with a bar from the moment before. WIDTH: columns. */
void timeline_print(const GArray *entries, unsigned width, GString *out);
