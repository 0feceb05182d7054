/* SPDX-License-Identifier: Apache-2.0 */
/* The two transports of virtio (virtio 1.2, chapter 4). Each takes over the virtio device, and frees it with itself. */
#pragma once

#include "devices/device.h"
#include "devices/interrupt.h"
#include "devices/pci/pci.h"
#include "devices/virtio/virtio.h"

/* virtio-mmio version 2 (virtio 1.2, 4.2): a device of 0x200 bytes. IRQ is an edge or level line. */
#define VIRTIO_MMIO_SIZE 0x200
Device *virtio_mmio_new(VirtioDevice *device, IrqLine *irq, Doorbells *doorbells);
/*
 * Tells the transport its address, once, so that it attaches its doorbells. Without it they ring by way of its write
 * handler.
 */
void virtio_mmio_attach_doorbells(Device *mmio, uint64_t base);
/*
 * virtio-pci, modern only (virtio 1.2, 4.1): one memory BAR with all structures and the MSI-X table, INTx as fallback.
 */
PciFunction *virtio_pci_new(VirtioDevice *device, Doorbells *doorbells);
