/* What the two files of the virtio-pci transport share: virtio-pci.c and virtio-pci-common.c. */
#pragma once

#include "devices/pci/pci.h"
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

/* The transport's own state back to power-on. */
void virtio_pci_reset_transport(VirtioPci *pci);
