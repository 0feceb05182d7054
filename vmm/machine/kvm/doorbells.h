/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Doorbells out of one machine: what devices/interrupt.h asks for, on KVM. Outlives the VM: a reboot makes a new VM and
 * connects it again.
 */
#pragma once

#include <glib.h>

#include "devices/interrupt.h"

typedef struct KvmDoorbells KvmDoorbells;

KvmDoorbells *kvm_doorbells_new(void);
void kvm_doorbells_free(KvmDoorbells *doorbells); /* disconnected; takes NULL */
Doorbells *kvm_doorbells_base(KvmDoorbells *doorbells);

/* Those that are in use are registered with VM_FD. -1: there is no VM. No vCPU runs. */
bool kvm_doorbells_connect(KvmDoorbells *doorbells, int vm_fd, GError **error);
