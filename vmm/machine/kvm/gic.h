/* SPDX-License-Identifier: Apache-2.0 */
/* The in-kernel interrupt controller of one VM. Linux: Documentation/virt/kvm/devices/arm-vgic*.rst. */
#pragma once

#include "vmm/config/board.h"

typedef struct {
  int fd, its_fd; /* -1: none */
} Gic;

/*
 * Creates the controller that BOARD plans; to be called when all vCPUs exist. EL2: the guest has it, and the GIC the
 * interrupt by which a hypervisor maintains its guests' interrupts. Nothing is left open on failure.
 */
bool gic_create(Gic *gic, int vm_fd, const Board *board, bool el2, GError **error);
void gic_destroy(Gic *gic);
