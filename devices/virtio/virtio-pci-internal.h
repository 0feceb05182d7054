/* SPDX-License-Identifier: Apache-2.0 */
/* What the two files of the virtio-pci transport share: virtio-pci.c and virtio-pci-common.c. */
#pragma once

#include "devices/pci/pci.h"
#include "devices/register-page.h"
#include "devices/virtio/virtio.h"

#define VIRTIO_MSI_NO_VECTOR 0xffff /* virtio 1.2, 4.1.5.1.2 */

typedef struct {
  PciFunction function; /* first */
  VirtioDevice *device;
  Doorbells *doorbells;
  bool *attached;          /* one a queue: its doorbell rings without us */
  unsigned pci_cfg;        /* offset of the PCI_CFG capability */
  unsigned n_msix_vectors; /* 0: no MSI-X */
  GMutex isr_lock;         /* isr and the INTx level together; before the host's INTx lock */
  GMutex page_lock;        /* what is stored in the page is what was read last */
  RegisterPage page;       /* the device's configuration, where it has one */
  unsigned config_reads;   /* up to READS_BEFORE_OPEN */

  /* Guest-visible. */
  uint8_t isr;
  uint32_t device_feature_select, driver_feature_select;
  uint16_t queue_select;
  uint16_t config_vector; /* atomic, as the next */
  uint16_t *queue_vectors;
} VirtioPci;

/* The common configuration structure: virtio 1.2, 4.1.4.3. With the host's lock. */
#define VIRTIO_PCI_COMMON_SIZE 60
uint64_t virtio_pci_common_read(VirtioPci *pci, uint64_t offset, unsigned size);
void virtio_pci_common_write(VirtioPci *pci, uint64_t offset, unsigned size, uint64_t value);
const char *virtio_pci_common_name(uint64_t offset);
/*
 * Fields that a driver writes to prepare something, and what then makes it happen is another: two runs of bytes of the
 * structure.
 */
typedef struct {
  uint8_t offset, size;
} VirtioPciPassive;
extern const VirtioPciPassive virtio_pci_passive[2];

/* VECTOR exists or is VIRTIO_MSI_NO_VECTOR. With the host's lock. */
void virtio_pci_set_queue_vector(VirtioPci *pci, unsigned queue, uint16_t vector);
/* The transport's own state back to power-on. */
void virtio_pci_reset_transport(VirtioPci *pci);
