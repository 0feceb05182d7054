/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio over MMIO, version 2: virtio 1.2, 4.2. Registers are read and written as 32-bit words; the device's
 * configuration from 0x100 on in any width.
 *
 * Locks: accesses hold the device's. Interrupts come from the I/O thread without it: irq_lock keeps InterruptStatus and
 * the line in step.
 */
#include "devices/virtio/transport.h"
#include "devices/virtio/virtio.h"

/* 4.2.2, table of registers. */
#define REGISTERS(R)                                                                                                                       \
  R(0x000, MAGIC_VALUE, "MagicValue")                                                                                                      \
  R(0x004, VERSION, "Version")                                                                                                             \
  R(0x008, DEVICE_ID, "DeviceID")                                                                                                          \
  R(0x00c, VENDOR_ID, "VendorID")                                                                                                          \
  R(0x010, DEVICE_FEATURES, "DeviceFeatures")                                                                                              \
  R(0x014, DEVICE_FEATURES_SEL, "DeviceFeaturesSel")                                                                                       \
  R(0x020, DRIVER_FEATURES, "DriverFeatures")                                                                                              \
  R(0x024, DRIVER_FEATURES_SEL, "DriverFeaturesSel")                                                                                       \
  R(0x030, QUEUE_SEL, "QueueSel")                                                                                                          \
  R(0x034, QUEUE_NUM_MAX, "QueueSizeMax")                                                                                                  \
  R(0x038, QUEUE_NUM, "QueueSize")                                                                                                         \
  R(0x044, QUEUE_READY, "QueueReady")                                                                                                      \
  R(0x050, QUEUE_NOTIFY, "QueueNotify")                                                                                                    \
  R(0x060, INTERRUPT_STATUS, "InterruptStatus")                                                                                            \
  R(0x064, INTERRUPT_ACK, "InterruptACK")                                                                                                  \
  R(0x070, STATUS, "Status")                                                                                                               \
  R(0x080, QUEUE_DESC_LOW, "QueueDescLow")                                                                                                 \
  R(0x084, QUEUE_DESC_HIGH, "QueueDescHigh")                                                                                               \
  R(0x090, QUEUE_DRIVER_LOW, "QueueDriverLow")                                                                                             \
  R(0x094, QUEUE_DRIVER_HIGH, "QueueDriverHigh")                                                                                           \
  R(0x0a0, QUEUE_DEVICE_LOW, "QueueDeviceLow")                                                                                             \
  R(0x0a4, QUEUE_DEVICE_HIGH, "QueueDeviceHigh")                                                                                           \
  R(0x0ac, SHM_SEL, "SHMSel")                                                                                                              \
  R(0x0b0, SHM_LEN_LOW, "SHMLenLow")                                                                                                       \
  R(0x0b4, SHM_LEN_HIGH, "SHMLenHigh")                                                                                                     \
  R(0x0b8, SHM_BASE_LOW, "SHMBaseLow")                                                                                                     \
  R(0x0bc, SHM_BASE_HIGH, "SHMBaseHigh")                                                                                                   \
  R(0x0c0, QUEUE_RESET, "QueueReset")                                                                                                      \
  R(0x0fc, CONFIG_GENERATION, "ConfigGeneration")

#define OFFSET(REG_OFFSET, NAME, TEXT) NAME = (REG_OFFSET),
enum { REGISTERS(OFFSET) CONFIG = 0x100 };

#define MAGIC            0x74726976 /* "virt" */
#define MODERN_VERSION   2
#define VENDOR           0x74657265 /* "eret" */
#define NO_SHARED_MEMORY UINT32_MAX /* 4.2.2: length and base of a region that does not exist */

#define INTERRUPT_USED_BUFFER   1
#define INTERRUPT_CONFIG_CHANGE 2

typedef struct {
  Device base;
  VirtioDevice *device;
  IrqLine *irq;
  Doorbells *doorbells;
  uint64_t doorbell_address; /* once attached */
  bool *attached;            /* one a queue */
  GMutex irq_lock;

  /* Guest-visible. */
  uint32_t interrupt_status; /* irq_lock */
  uint32_t device_features_sel, driver_features_sel, queue_sel;
} VirtioMmio;

/* Interrupts. */

static void raise_interrupt(VirtioMmio *mmio, uint32_t reason) {
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&mmio->irq_lock);
  mmio->interrupt_status |= reason;
  /*
   * On an edge line one more edge, even if the last reason was not acknowledged yet: a driver may do so after it has
   * looked at the ring.
   */
  irq_line_set(mmio->irq, true);
}

static void acknowledge(VirtioMmio *mmio, uint32_t reasons) {
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&mmio->irq_lock);
  mmio->interrupt_status &= ~reasons;
  if (!mmio->interrupt_status)
    irq_line_set(mmio->irq, false);
}

static uint32_t interrupt_status(VirtioMmio *mmio) {
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&mmio->irq_lock);
  return mmio->interrupt_status;
}

static void queue_interrupt(void *transport, unsigned queue) {
  raise_interrupt(transport, INTERRUPT_USED_BUFFER);
}

static void config_interrupt(void *transport) {
  raise_interrupt(transport, INTERRUPT_CONFIG_CHANGE);
}

static const VirtioTransportOps transport_ops = {.queue_interrupt = queue_interrupt, .config_interrupt = config_interrupt};

/* Registers. */

static void reset_transport(VirtioMmio *mmio) {
  mmio->device_features_sel = mmio->driver_features_sel = mmio->queue_sel = 0;
  acknowledge(mmio, UINT32_MAX);
}

static uint32_t read_register(VirtioMmio *mmio, uint64_t offset) {
  const VirtioDevice *device = mmio->device;
  const VirtQueue *queue = virtio_queue(device, mmio->queue_sel);

  switch (offset) {
  case MAGIC_VALUE:
    return MAGIC;
  case VERSION:
    return MODERN_VERSION;
  case DEVICE_ID:
    return device->ops->id;
  case VENDOR_ID:
    return VENDOR;
  case DEVICE_FEATURES:
    return virtio_get_device_features(device, mmio->device_features_sel);
  case QUEUE_NUM_MAX:
    return queue ? queue->max_size : 0;
  case QUEUE_READY:
    return queue && queue->config.ready;
  case INTERRUPT_STATUS:
    return interrupt_status(mmio);
  case STATUS:
    return virtio_get_status(device);
  case SHM_LEN_LOW:
  case SHM_LEN_HIGH:
  case SHM_BASE_LOW:
  case SHM_BASE_HIGH:
    return NO_SHARED_MEMORY;
  case CONFIG_GENERATION:
    return (uint32_t)__atomic_load_n(&device->config_generation, __ATOMIC_SEQ_CST);
  default: /* write-only, or nothing */
    return 0;
  }
}

/* Registers of the selected queue's configuration. */
static void write_queue_register(VirtioMmio *mmio, uint64_t offset, uint32_t value) {
  VirtQueue *queue = virtio_queue_to_configure(mmio->device, mmio->queue_sel);

  if (offset == QUEUE_READY && value == 0)
    virtio_queue_disable(mmio->device, mmio->queue_sel);
  if (!queue)
    return;
  switch (offset) {
  case QUEUE_NUM:
    /* One that cannot be is 0, at which the queue will not start. */
    queue->config.size = value <= queue->max_size ? (uint16_t)value : 0;
    return;
  case QUEUE_READY:
    queue->config.ready = value == 1;
    return;
  case QUEUE_DESC_LOW:
  case QUEUE_DESC_HIGH:
  case QUEUE_DRIVER_LOW:
  case QUEUE_DRIVER_HIGH:
  case QUEUE_DEVICE_LOW:
  case QUEUE_DEVICE_HIGH:
    virtqueue_set_area(queue, (offset - QUEUE_DESC_LOW) / 0x10, offset & 4, value);
    return;
  default:
    return;
  }
}

static void write_register(VirtioMmio *mmio, uint64_t offset, uint32_t value) {
  switch (offset) {
  case DEVICE_FEATURES_SEL:
    mmio->device_features_sel = value;
    return;
  case DRIVER_FEATURES:
    virtio_set_driver_features(mmio->device, mmio->driver_features_sel, value);
    return;
  case DRIVER_FEATURES_SEL:
    mmio->driver_features_sel = value;
    return;
  case QUEUE_SEL:
    mmio->queue_sel = value;
    return;
  case QUEUE_NOTIFY:
    virtio_ring_doorbell(mmio->device, value);
    return;
  case INTERRUPT_ACK:
    acknowledge(mmio, value);
    return;
  case STATUS:
    virtio_set_status(mmio->device, (uint8_t)value);
    if ((uint8_t)value == 0)
      reset_transport(mmio);
    return;
  default:
    write_queue_register(mmio, offset, value);
    return;
  }
}

static uint64_t mmio_read(Device *base, uint64_t offset, unsigned size) {
  VirtioMmio *mmio = (VirtioMmio *)base;
  uint64_t value = 0;

  if (offset < CONFIG)
    return size == 4 ? read_register(mmio, offset) : 0;
  virtio_config_read(mmio->device, offset - CONFIG, &value, size);
  return GUINT64_FROM_LE(value);
}

static void mmio_write(Device *base, uint64_t offset, unsigned size, uint64_t value) {
  VirtioMmio *mmio = (VirtioMmio *)base;
  uint64_t bytes = GUINT64_TO_LE(value);

  if (offset >= CONFIG)
    virtio_config_write(mmio->device, offset - CONFIG, &bytes, size);
  else if (size == 4)
    write_register(mmio, offset, (uint32_t)value);
}

static const char *mmio_register_name(const Device *base, uint64_t offset) {
#define TEXT_AT(REG_OFFSET, NAME, TEXT) [(REG_OFFSET) / 4] = (TEXT),
  static const char *const names[CONFIG / 4] = {REGISTERS(TEXT_AT)};

  return offset < CONFIG ? names[offset / 4] : "Config";
}

/* Linux: bindings/virtio/mmio.yaml. */
static void mmio_describe(const Device *base, const DeviceSlot *slot, FdtWriter *fdt) {
  fdt_writer_begin_at(fdt, "virtio_mmio", slot->base);
  fdt_writer_string(fdt, "compatible", "virtio,mmio");
  fdt_writer_reg(fdt, slot->base, slot->size);
  fdt_writer_interrupt(fdt, FDT_IRQ_SPI, slot->spi, slot->trigger);
  fdt_writer_flag(fdt, "dma-coherent");
  fdt_writer_end(fdt);
}

/* LNRO0005: Linux, drivers/virtio/virtio_mmio.c. Numbered by their place, which others do not change. */
static void mmio_describe_acpi(const Device *base, const DeviceSlot *slot, AcpiWriter *acpi) {
  unsigned number = slot->base / VIRTIO_MMIO_SIZE % 0x100;
  char name[8];

  g_snprintf(name, sizeof name, "VR%02X", number);
  device_begin_acpi(acpi, name, "LNRO0005", number, slot);
  aml_end(acpi->aml);
}

/* Life. */

void virtio_mmio_attach_doorbells(Device *base, uint64_t address) {
  VirtioMmio *mmio = (VirtioMmio *)base;
  Doorbells *doorbells = mmio->doorbells;

  g_assert(!mmio->doorbell_address);
  mmio->doorbell_address = address + QUEUE_NOTIFY;
  for (unsigned i = 0; i < mmio->device->n_queues; i++)
    mmio->attached[i] = doorbells->attach(doorbells, mmio->doorbell_address, 4, true, i, mmio->device->doorbell_fds[i]);
}

static void mmio_reset(Device *base) {
  VirtioMmio *mmio = (VirtioMmio *)base;

  virtio_device_reset(mmio->device);
  reset_transport(mmio);
}

static void mmio_pause(Device *base) {
  virtio_device_pause(((VirtioMmio *)base)->device);
}

static void mmio_resume(Device *base) {
  virtio_device_resume(((VirtioMmio *)base)->device);
}

static void mmio_free(Device *base) {
  VirtioMmio *mmio = (VirtioMmio *)base;

  for (unsigned i = 0; i < mmio->device->n_queues; i++)
    if (mmio->attached[i])
      mmio->doorbells->detach(mmio->doorbells, mmio->doorbell_address, 4, true, i, mmio->device->doorbell_fds[i]);
  virtio_device_free(mmio->device);
  g_mutex_clear(&mmio->irq_lock);
  g_free(mmio->attached);
  device_clear(base);
  g_free(mmio);
}

static const DeviceOps mmio_ops = {
    .access_sizes = ACCESS_ANY,
    .read = mmio_read,
    .write = mmio_write,
    .register_name = mmio_register_name,
    .describe = mmio_describe,
    .describe_acpi = mmio_describe_acpi,
    .reset = mmio_reset,
    .pause = mmio_pause,
    .resume = mmio_resume,
    .free = mmio_free,
};

Device *virtio_mmio_new(VirtioDevice *device, IrqLine *irq, Doorbells *doorbells) {
  VirtioMmio *mmio = device_new(sizeof *mmio, &mmio_ops, device->name);

  mmio->device = device;
  mmio->irq = irq;
  mmio->doorbells = doorbells;
  mmio->attached = g_new0(bool, device->n_queues);
  g_mutex_init(&mmio->irq_lock);
  virtio_device_connect(device, &transport_ops, mmio);
  return &mmio->base;
}
