/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is done in qemu-storage-daemon's process before the program (HelperSetUp). Images may name other files
 * by names that lead to a network: a process that can make no socket goes nowhere. This is against names, not against a
 * program that has been taken over. Linux: seccomp(2), getrlimit(2).
 */
#pragma once

#include <stdbool.h>

typedef struct {
  bool network; /* it may make sockets: what it was told to reach is there */
  bool brief;   /* it is there to look: time and memory are bounded */
} StorageCage;

/* True; what the kernel does not offer is done without. */
bool storage_cage_enter(const void *cage);
