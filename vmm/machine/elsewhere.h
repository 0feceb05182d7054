/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Queues of a platform's devices that are served elsewhere, where nobody here sees what they do: who serves them, and
 * what they have carried as far as somebody else counts it (a tap's kernel), since this was made. The main thread's.
 */
#pragma once

#include "vmm/machine/platform.h"
#include "vmm/observe/device-counts.h"

typedef struct Elsewhere Elsewhere;

/* Before anything runs. PLATFORM must outlive all but elsewhere_free. */
Elsewhere *elsewhere_new(const Platform *platform);
void elsewhere_free(Elsewhere *elsewhere); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Elsewhere, elsewhere_free)

/* Adds what is known to DEVICES (of DeviceCount), those that have told nothing too. */
void elsewhere_add(const Elsewhere *elsewhere, GArray *devices);
/* The same as records. */
void elsewhere_record(const Elsewhere *elsewhere, Recorder *recorder);
