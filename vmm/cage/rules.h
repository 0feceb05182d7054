/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each kind of thread may ask the kernel for while a guest runs: one table, from which the filters are made.
 * docs/security.md says what it is for.
 */
#pragma once

#include <stdint.h>

/* What threads are for, as bits: one may be for several things. */
typedef enum {
  CAGE_VCPU = 1,   /* runs a vCPU; what it does between KVM_RUN and KVM_RUN is a device's access or a hypercall */
  CAGE_DEVICE = 2, /* serves queues, or reads and writes a disk for such a thread */

  /* Of some machines only. */
  CAGE_CALLS = 4,     /* a vCPU's hypercalls are answered by a server at a socket */
  CAGE_FLASH = 8,     /* what a vCPU writes to flash lasts in a file */
  CAGE_MEETINGS = 16, /* a device meets others at a socket, and waits there for the next when they have left */
  CAGE_VSOCK = 32,    /* a device's sockets are the kernel's, which has one vsock for each start of a driver */
  CAGE_FILES = 64,    /* the main thread makes and removes files: reports, what is copied out, what others know of it */

  CAGE_MAIN = 128, /* takes the machine through its life. Others are made by it: it may do what each of them may */
} CageThread;
#define CAGE_MORE_OF_VCPUS   (CAGE_CALLS | CAGE_FLASH)
#define CAGE_MORE_OF_DEVICES (CAGE_MEETINGS | CAGE_VSOCK)
#define CAGE_MORE_OF_MAIN    CAGE_FILES

/* Of a call's argument. They are of 64 bits each; where the kernel takes an int or an unsigned int, 32 count. */
typedef enum {
  CAGE_ANY,        /* whatever it is */
  CAGE_EQUAL,      /* its lower 32 bits are the value */
  CAGE_EQUAL_LONG, /* all of its 64 bits are */
  CAGE_WITHOUT,    /* its lower 32 bits have none of those in the value */
  CAGE_WITH,       /* they have all */
  CAGE_OWN,        /* they are this process's number */
} CageTest;

typedef struct {
  int number;       /* the call's, on this architecture */
  unsigned threads; /* CageThread bits: whoever is for one of these may */
  CageTest test;
  unsigned argument; /* 0 to 5: what is tested */
  uint32_t value;
  const char *why;
  int fails; /* 0: the call is allowed; else it fails with this, and nobody is told */
} CageRule;

/*
 * The first of a call's rules for the thread that is met counts; all of a call stand together. The first that a filter
 * looks at stand first: KVM_RUN.
 */
extern const CageRule cage_rules[];
extern const unsigned cage_rules_count;
