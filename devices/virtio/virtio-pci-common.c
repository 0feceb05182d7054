/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The common configuration structure of virtio-pci: virtio 1.2, 4.1.4.3. One const table of fields; an access is of a
 * whole field (4.1.3.1: a 64-bit field is two of 32 bits, here also written at once). Other accesses read as zeros and
 * change nothing.
 *
 * Locks: the PCI host's. Vectors are atomic, as the I/O thread reads them.
 */
#include "devices/virtio/virtio-pci-internal.h"

typedef struct {
  uint8_t offset, size;
  const char *name;
  uint32_t (*read)(const VirtioPci *pci);
  void (*write)(VirtioPci *pci, uint32_t value); /* NULL: read-only */
} CommonField;

static const VirtQueue *selected(const VirtioPci *pci) {
  return virtio_queue(pci->device, pci->queue_select);
}

static VirtQueue *to_configure(const VirtioPci *pci) {
  return virtio_queue_to_configure(pci->device, pci->queue_select);
}

/* Features. */

static uint32_t device_feature_select_read(const VirtioPci *pci) {
  return pci->device_feature_select;
}

static void device_feature_select_write(VirtioPci *pci, uint32_t value) {
  pci->device_feature_select = value;
}

static uint32_t device_feature_read(const VirtioPci *pci) {
  return virtio_get_device_features(pci->device, pci->device_feature_select);
}

static uint32_t driver_feature_select_read(const VirtioPci *pci) {
  return pci->driver_feature_select;
}

static void driver_feature_select_write(VirtioPci *pci, uint32_t value) {
  pci->driver_feature_select = value;
}

static uint32_t driver_feature_read(const VirtioPci *pci) {
  return virtio_get_driver_features(pci->device, pci->driver_feature_select);
}

static void driver_feature_write(VirtioPci *pci, uint32_t value) {
  virtio_set_driver_features(pci->device, pci->driver_feature_select, value);
}

/* Vectors. One that does not exist is refused by not being taken (4.1.5.1.2.1). */

static uint16_t valid_vector(const VirtioPci *pci, uint32_t value) {
  return value < pci->n_msix_vectors ? (uint16_t)value : VIRTIO_MSI_NO_VECTOR;
}

static uint32_t config_vector_read(const VirtioPci *pci) {
  return __atomic_load_n(&pci->config_vector, __ATOMIC_SEQ_CST);
}

static void config_vector_write(VirtioPci *pci, uint32_t value) {
  __atomic_store_n(&pci->config_vector, valid_vector(pci, value), __ATOMIC_SEQ_CST);
}

static uint32_t queue_vector_read(const VirtioPci *pci) {
  return selected(pci) ? __atomic_load_n(&pci->queue_vectors[pci->queue_select], __ATOMIC_SEQ_CST) : VIRTIO_MSI_NO_VECTOR;
}

static void queue_vector_write(VirtioPci *pci, uint32_t value) {
  if (selected(pci))
    virtio_pci_set_queue_vector(pci, pci->queue_select, valid_vector(pci, value));
}

/* The device. */

static uint32_t num_queues_read(const VirtioPci *pci) {
  return pci->device->n_queues;
}

static uint32_t status_read(const VirtioPci *pci) {
  return virtio_get_status(pci->device);
}

static void status_write(VirtioPci *pci, uint32_t value) {
  virtio_set_status(pci->device, (uint8_t)value);
  if (value == 0)
    virtio_pci_reset_transport(pci);
}

static uint32_t generation_read(const VirtioPci *pci) {
  return (uint8_t)__atomic_load_n(&pci->device->config_generation, __ATOMIC_SEQ_CST);
}

/* The selected queue. */

static uint32_t queue_select_read(const VirtioPci *pci) {
  return pci->queue_select;
}

static void queue_select_write(VirtioPci *pci, uint32_t value) {
  pci->queue_select = (uint16_t)value;
}

static uint32_t queue_size_read(const VirtioPci *pci) {
  return selected(pci) ? selected(pci)->config.size : 0;
}

static void queue_size_write(VirtioPci *pci, uint32_t value) {
  VirtQueue *queue = to_configure(pci);

  if (queue)
    queue->config.size = (uint16_t)value;
}

static uint32_t queue_enable_read(const VirtioPci *pci) {
  return selected(pci) && selected(pci)->config.ready;
}

/* 4.1.4.3.2: a driver does not write 0. */
static void queue_enable_write(VirtioPci *pci, uint32_t value) {
  VirtQueue *queue = to_configure(pci);

  if (queue && value == 1)
    queue->config.ready = true;
}

static uint32_t queue_notify_off_read(const VirtioPci *pci) {
  return selected(pci) ? pci->queue_select : 0;
}

static uint32_t zero_read(const VirtioPci *pci) {
  return 0;
}

/* Both halves of the three addresses. */

static uint32_t low(uint64_t address) {
  return (uint32_t)address;
}

static uint32_t high(uint64_t address) {
  return (uint32_t)(address >> 32);
}

static void set_low(uint64_t *address, uint32_t value) {
  *address = (*address & ~(uint64_t)UINT32_MAX) | value;
}

static void set_high(uint64_t *address, uint32_t value) {
  *address = low(*address) | (uint64_t)value << 32;
}

#define QUEUE_ADDRESS(member, half)                                                                                                        \
  static uint32_t queue_##member##_##half##_read(const VirtioPci *pci) {                                                                   \
    return selected(pci) ? half(selected(pci)->config.member) : 0;                                                                         \
  }                                                                                                                                        \
  static void queue_##member##_##half##_write(VirtioPci *pci, uint32_t value) {                                                            \
    VirtQueue *queue = to_configure(pci);                                                                                                  \
    if (queue)                                                                                                                             \
      set_##half(&queue->config.member, value);                                                                                            \
  }
QUEUE_ADDRESS(descriptors, low)
QUEUE_ADDRESS(descriptors, high)
QUEUE_ADDRESS(driver, low)
QUEUE_ADDRESS(driver, high)
QUEUE_ADDRESS(device, low)
QUEUE_ADDRESS(device, high)

static const CommonField fields[] = {
    {0x00, 4, "device_feature_select", device_feature_select_read, device_feature_select_write},
    {0x04, 4, "device_feature", device_feature_read, NULL},
    {0x08, 4, "driver_feature_select", driver_feature_select_read, driver_feature_select_write},
    {0x0c, 4, "driver_feature", driver_feature_read, driver_feature_write},
    {0x10, 2, "config_msix_vector", config_vector_read, config_vector_write},
    {0x12, 2, "num_queues", num_queues_read, NULL},
    {0x14, 1, "device_status", status_read, status_write},
    {0x15, 1, "config_generation", generation_read, NULL},
    {0x16, 2, "queue_select", queue_select_read, queue_select_write},
    {0x18, 2, "queue_size", queue_size_read, queue_size_write},
    {0x1a, 2, "queue_msix_vector", queue_vector_read, queue_vector_write},
    {0x1c, 2, "queue_enable", queue_enable_read, queue_enable_write},
    {0x1e, 2, "queue_notify_off", queue_notify_off_read, NULL},
    {0x20, 4, "queue_desc", queue_descriptors_low_read, queue_descriptors_low_write},
    {0x24, 4, "queue_desc_hi", queue_descriptors_high_read, queue_descriptors_high_write},
    {0x28, 4, "queue_driver", queue_driver_low_read, queue_driver_low_write},
    {0x2c, 4, "queue_driver_hi", queue_driver_high_read, queue_driver_high_write},
    {0x30, 4, "queue_device", queue_device_low_read, queue_device_low_write},
    {0x34, 4, "queue_device_hi", queue_device_high_read, queue_device_high_write},
    /* Of features that are not offered: VIRTIO_F_NOTIF_CONFIG_DATA, VIRTIO_F_RING_RESET. */
    {0x38, 2, "queue_notif_config_data", zero_read, NULL},
    {0x3a, 2, "queue_reset", zero_read, NULL},
};

/*
 * All but status: it alone starts something, once DRIVER_OK is set and all others are read. What is read comes after
 * what was deferred.
 */
const VirtioPciPassive virtio_pci_passive[2] = {{0x00, 0x14}, {0x16, 0x22}};

static const CommonField *field_at(uint64_t offset) {
  for (unsigned i = 0; i < G_N_ELEMENTS(fields); i++)
    if (fields[i].offset == offset)
      return &fields[i];
  return NULL;
}

uint64_t virtio_pci_common_read(VirtioPci *pci, uint64_t offset, unsigned size) {
  const CommonField *field = field_at(offset);

  if (size == 8)
    return virtio_pci_common_read(pci, offset, 4) | virtio_pci_common_read(pci, offset + 4, 4) << 32;
  return field && field->size == size ? field->read(pci) : 0;
}

void virtio_pci_common_write(VirtioPci *pci, uint64_t offset, unsigned size, uint64_t value) {
  const CommonField *field = field_at(offset);

  if (size == 8) {
    virtio_pci_common_write(pci, offset, 4, (uint32_t)value);
    virtio_pci_common_write(pci, offset + 4, 4, value >> 32);
    return;
  }
  if (field && field->size == size && field->write)
    field->write(pci, (uint32_t)value);
}

const char *virtio_pci_common_name(uint64_t offset) {
  const CommonField *field = field_at(offset);

  return field ? field->name : NULL;
}
