/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Interrupts into one machine: what devices/interrupt.h asks for, on KVM. Outlives the VM: a reboot makes a new VM and
 * connects it again.
 */
#pragma once

#include "devices/interrupt.h"
#include "vmm/config/board.h"

typedef struct Irq Irq;

Irq *irq_new(GicVersion gic);
void irq_free(Irq *irq); /* disconnected; takes NULL */

IrqLines *irq_lines(Irq *irq);
MsiController *irq_msi(Irq *irq);

/* VM_FD has its GIC: lines and routes that are in use are registered with it. -1: there is no VM. No vCPU runs. */
bool irq_connect(Irq *irq, int vm_fd, GError **error);
