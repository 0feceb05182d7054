/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the facts mean: whether guests run here and, if not, why and what to do; what each fact means for guests; what
 * is missing and could be had. Pure: the same facts give the same verdict. No lock.
 *
 * doctor.c   the whole, and what its parts ask of the facts
 * verdict.c  the sentence on top, its cause and cure
 * findings.c the facts, a line each
 * advice.c   what could be better
 * network.c  both, of networks for guests
 * report.c   all of it as text and as JSON
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "vmm/doctor/host-facts.h"
#include "vmm/machine/probe.h"

typedef enum { VALUE_UNKNOWN, VALUE_BOOL, VALUE_NUMBER, VALUE_SIZE, VALUE_TEXT, VALUE_NUMBERS, VALUE_CLUSTERS } ValueKind;

/* One fact, for people and for programs. */
typedef struct {
  const char *key, *label; /* the key is a member in JSON */
  ValueKind kind;
  double number;                   /* VALUE_BOOL: 0 or 1; VALUE_NUMBER: bits or a count; VALUE_SIZE: bytes */
  GArray *numbers;                 /* VALUE_NUMBERS: of uint64_t */
  char *text;                      /* as it is shown; NULL: it is not */
  const char *meaning, *otherwise; /* for guests; NULL where it is plain. Of a VALUE_BOOL that is no: OTHERWISE */
  const char *group;               /* JSON: an object */
} Finding;

typedef struct {
  const char *key;
  char *text;
} Advice;

typedef struct {
  const HostFacts *host; /* must outlive it */
  const KvmFacts *kvm;
  bool guests;       /* they run here */
  const char *cause; /* "ok", or one word for why not; docs/doctor.md lists them */
  char *reason;      /* a sentence without its full stop */
  char *cure;        /* whole sentences; NULL where nothing is to be cured */
  GPtrArray *findings, *advice;
} Doctor;

/* Judges the facts. Never NULL. */
Doctor *doctor_new(const HostFacts *host, const KvmFacts *kvm);
void doctor_free(Doctor *doctor); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Doctor, doctor_free)

/* Its word, for people and for programs, is appended to OUT. docs/doctor.md describes the JSON. */
void doctor_report_text(GString *out, const Doctor *doctor);
void doctor_report_json(GString *out, const Doctor *doctor);

/* The parts of doctor_new. */
void doctor_judge(Doctor *doctor);
void doctor_find(Doctor *doctor);
void doctor_advise(Doctor *doctor);
void doctor_find_network(Doctor *doctor);
void doctor_advise_network(Doctor *doctor);
void doctor_find_shares(Doctor *doctor);
void doctor_advise_shares(Doctor *doctor);
void doctor_find_disks(Doctor *doctor);
void doctor_advise_disks(Doctor *doctor);
void doctor_find_images(Doctor *doctor);
void doctor_advise_images(Doctor *doctor);
/* Adds one to the advice. */
void doctor_add_advice(Doctor *doctor, const char *key, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* How KVM runs: "VHE", "VHE+NV2", "nVHE", "protected hVHE"; NULL: not known. Free with g_free. */
char *doctor_kvm_mode(const Doctor *doctor);
/* Whether KVM has been asked: on a VM and with all its answers. */
bool doctor_kvm_answers(const Doctor *doctor);
/* The interrupt controller that --gic auto takes: 3, 2, or 0 where there is none. */
unsigned doctor_gic(const Doctor *doctor);
unsigned doctor_max_cpus(const Doctor *doctor);
/* The most memory that a guest of default devices can have in the address space that KVM offers, in bytes. */
uint64_t doctor_max_memory(const Doctor *doctor);
/* "54 GiB". Free with g_free. */
char *doctor_size(uint64_t bytes);

/* The value of a Finding, behind its key and label. HOST_UNLIMITED is a size, but no number. */
#define FACT_TEXT(value)          .kind = (value) ? VALUE_TEXT : VALUE_UNKNOWN, .text = (char *)(value)
#define FACT_BOOL(value)          .kind = VALUE_BOOL, .number = (value)
#define FACT_NUMBER(known, value) .kind = (known) ? VALUE_NUMBER : VALUE_UNKNOWN, .number = (double)(value)
#define FACT_SIZE(known, bytes)   .kind = (known) ? VALUE_SIZE : VALUE_UNKNOWN, .number = (double)(bytes)
#define FACT_NUMBERS(array)       .kind = (array)->len ? VALUE_NUMBERS : VALUE_UNKNOWN, .numbers = (array)

/*
 * Adds N findings as these ROWS to GROUP, with texts of their own: as the row's, or else as a value of its kind is
 * written. Of what is not KNOWN only that there would be one.
 */
void doctor_add(Doctor *doctor, const char *group, bool known, const Finding *rows, unsigned n);
