/* The in-kernel interrupt controller of one VM. Linux: Documentation/virt/kvm/devices/arm-vgic*.rst. */
#pragma once

#include "vmm/board.h"

typedef struct {
  int fd, its_fd; /* -1: none */
} Gic;

/* Creates the controller that BOARD plans; to be called when all vCPUs exist. Nothing is left open on failure. */
bool gic_create(Gic *gic, int vm_fd, const Board *board, GError **error);
void gic_destroy(Gic *gic);
