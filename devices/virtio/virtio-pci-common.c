/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The common configuration structure of virtio-pci: virtio 1.2, 4.1.4.3. One const table of fields; an access is of a
 * whole field (4.1.3.1: a 64-bit field is two of 32 bits, here also written at once). Other accesses read as zeros and
 * change nothing.
 *
 * Locks: the PCI host's. Vectors are atomic, as the I/O thread reads them.
 */
#include "devices/virtio/virtio-pci-internal.h"

#define FIELDS(F)                                                                                                                          \
  F(0x00, 4, DEVICE_FEATURE_SELECT, "device_feature_select")                                                                               \
  F(0x04, 4, DEVICE_FEATURE, "device_feature")                                                                                             \
  F(0x08, 4, DRIVER_FEATURE_SELECT, "driver_feature_select")                                                                               \
  F(0x0c, 4, DRIVER_FEATURE, "driver_feature")                                                                                             \
  F(0x10, 2, CONFIG_MSIX_VECTOR, "config_msix_vector")                                                                                     \
  F(0x12, 2, NUM_QUEUES, "num_queues")                                                                                                     \
  F(0x14, 1, DEVICE_STATUS, "device_status")                                                                                               \
  F(0x15, 1, CONFIG_GENERATION, "config_generation")                                                                                       \
  F(0x16, 2, QUEUE_SELECT, "queue_select")                                                                                                 \
  F(0x18, 2, QUEUE_SIZE, "queue_size")                                                                                                     \
  F(0x1a, 2, QUEUE_MSIX_VECTOR, "queue_msix_vector")                                                                                       \
  F(0x1c, 2, QUEUE_ENABLE, "queue_enable")                                                                                                 \
  F(0x1e, 2, QUEUE_NOTIFY_OFF, "queue_notify_off")                                                                                         \
  F(0x20, 4, QUEUE_DESC, "queue_desc")                                                                                                     \
  F(0x24, 4, QUEUE_DESC_HI, "queue_desc_hi")                                                                                               \
  F(0x28, 4, QUEUE_DRIVER, "queue_driver")                                                                                                 \
  F(0x2c, 4, QUEUE_DRIVER_HI, "queue_driver_hi")                                                                                           \
  F(0x30, 4, QUEUE_DEVICE, "queue_device")                                                                                                 \
  F(0x34, 4, QUEUE_DEVICE_HI, "queue_device_hi")                                                                                           \
  F(0x38, 2, QUEUE_NOTIF_CONFIG_DATA, "queue_notif_config_data")                                                                           \
  F(0x3a, 2, QUEUE_RESET, "queue_reset")

#define OFFSET(FIELD_OFFSET, SIZE, NAME, TEXT) NAME = (FIELD_OFFSET),
enum { FIELDS(OFFSET) };

typedef struct {
  uint8_t offset, size;
  const char *name;
} CommonField;

#define FIELD(FIELD_OFFSET, SIZE, NAME, TEXT) {(FIELD_OFFSET), (SIZE), (TEXT)},
static const CommonField fields[] = {FIELDS(FIELD)};

/* What lies in the common configuration of the selected queue; it is there. */
static uint32_t read_queue_field(const VirtioPci *pci, const VirtQueue *queue, unsigned offset) {
  switch (offset) {
  case QUEUE_SIZE:
    return queue->config.size;
  case QUEUE_MSIX_VECTOR:
    return __atomic_load_n(&pci->queue_vectors[pci->queue_select], __ATOMIC_SEQ_CST);
  case QUEUE_ENABLE:
    return queue->config.ready;
  case QUEUE_NOTIFY_OFF:
    return pci->queue_select;
  case QUEUE_DESC ... QUEUE_DEVICE_HI:
    return virtqueue_get_area(queue, (offset - QUEUE_DESC) / 8, offset & 4);
  default: /* of features that are not offered: VIRTIO_F_NOTIF_CONFIG_DATA, VIRTIO_F_RING_RESET */
    return 0;
  }
}

static uint32_t read_field(const VirtioPci *pci, unsigned offset) {
  const VirtQueue *queue = virtio_queue(pci->device, pci->queue_select);

  switch (offset) {
  case DEVICE_FEATURE_SELECT:
    return pci->device_feature_select;
  case DEVICE_FEATURE:
    return virtio_get_device_features(pci->device, pci->device_feature_select);
  case DRIVER_FEATURE_SELECT:
    return pci->driver_feature_select;
  case DRIVER_FEATURE:
    return virtio_get_driver_features(pci->device, pci->driver_feature_select);
  case CONFIG_MSIX_VECTOR:
    return __atomic_load_n(&pci->config_vector, __ATOMIC_SEQ_CST);
  case NUM_QUEUES:
    return pci->device->n_queues;
  case DEVICE_STATUS:
    return virtio_get_status(pci->device);
  case CONFIG_GENERATION:
    return (uint8_t)__atomic_load_n(&pci->device->config_generation, __ATOMIC_SEQ_CST);
  case QUEUE_SELECT:
    return pci->queue_select;
  default:
    if (queue)
      return read_queue_field(pci, queue, offset);
    return offset == QUEUE_MSIX_VECTOR ? VIRTIO_MSI_NO_VECTOR : 0;
  }
}

/* One that does not exist is refused by not being taken (4.1.5.1.2.1). */
static uint16_t valid_vector(const VirtioPci *pci, uint32_t value) {
  return value < pci->n_msix_vectors ? (uint16_t)value : VIRTIO_MSI_NO_VECTOR;
}

/* QUEUE is the selected one, so long as it may be configured. */
static void write_queue_field(VirtQueue *queue, unsigned offset, uint32_t value) {
  switch (offset) {
  case QUEUE_SIZE:
    queue->config.size = (uint16_t)value;
    return;
  case QUEUE_ENABLE:
    queue->config.ready = value == 1; /* 4.1.4.3.2: a driver does not write 0, and it is not ready yet */
    return;
  case QUEUE_DESC ... QUEUE_DEVICE_HI:
    virtqueue_set_area(queue, (offset - QUEUE_DESC) / 8, offset & 4, value);
    return;
  }
}

static void write_field(VirtioPci *pci, unsigned offset, uint32_t value) {
  VirtQueue *queue = virtio_queue_to_configure(pci->device, pci->queue_select);

  switch (offset) {
  case DEVICE_FEATURE_SELECT:
    pci->device_feature_select = value;
    return;
  case DRIVER_FEATURE_SELECT:
    pci->driver_feature_select = value;
    return;
  case DRIVER_FEATURE:
    virtio_set_driver_features(pci->device, pci->driver_feature_select, value);
    return;
  case CONFIG_MSIX_VECTOR:
    __atomic_store_n(&pci->config_vector, valid_vector(pci, value), __ATOMIC_SEQ_CST);
    return;
  case DEVICE_STATUS:
    virtio_set_status(pci->device, (uint8_t)value);
    if (value == 0)
      virtio_pci_reset_transport(pci);
    return;
  case QUEUE_SELECT:
    pci->queue_select = (uint16_t)value;
    return;
  case QUEUE_MSIX_VECTOR:
    if (virtio_queue(pci->device, pci->queue_select))
      virtio_pci_set_queue_vector(pci, pci->queue_select, valid_vector(pci, value));
    return;
  default:
    if (queue)
      write_queue_field(queue, offset, value);
  }
}

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
  return field && field->size == size ? read_field(pci, field->offset) : 0;
}

void virtio_pci_common_write(VirtioPci *pci, uint64_t offset, unsigned size, uint64_t value) {
  const CommonField *field = field_at(offset);

  if (size == 8) {
    virtio_pci_common_write(pci, offset, 4, (uint32_t)value);
    virtio_pci_common_write(pci, offset + 4, 4, value >> 32);
    return;
  }
  if (field && field->size == size)
    write_field(pci, field->offset, (uint32_t)value);
}

const char *virtio_pci_common_name(uint64_t offset) {
  const CommonField *field = field_at(offset);

  return field ? field->name : NULL;
}
