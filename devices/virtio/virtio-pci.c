/* SPDX-License-Identifier: Apache-2.0 */
/*
 * virtio over PCI, modern only: virtio 1.2, 4.1. One 32-bit memory BAR holds all structures and the MSI-X table;
 * capabilities (4.1.4) say where:
 *
 *   0x0000  device configuration      0x8000  MSI-X table, 0x9000 its pending bits
 *   0x4000  common configuration      0xc000  doorbells, 4 bytes a queue
 *   0x5000  ISR status
 *
 * What reads without a side effect and seldom changes, what does not, what is only written: each has 16 KiB of its own,
 * a host page of the two usual sizes. The first is a page that the guest reads by itself once it has shown an interest.
 * Most of the common configuration and of the MSI-X table may be deferred: it has no effect before the status is
 * written, or the entry unmasked. Doorbells are handed to Doorbells while the BAR is mapped.
 *
 * Locks: accesses hold the PCI host's. Interrupts come from I/O threads without it: isr_lock keeps ISR status and the
 * INTx level in step, MSI-X has its own. page_lock is for whatever thread stores the device's configuration: that of an
 * access, the main thread, an I/O thread.
 */
#include "devices/pci/msix.h"
#include "devices/virtio/transport.h"
#include "devices/virtio/virtio-pci-internal.h"

#define VIRTIO_PCI_VENDOR      0x1af4 /* 4.1.2 */
#define VIRTIO_PCI_DEVICE_BASE 0x1040 /* plus the device ID */
#define VIRTIO_PCI_REVISION    1
#define VIRTIO_PCI_SUBSYSTEM   0x40 /* 4.1.2.1: 0x40 or higher on a device that is not transitional */
#define PIN_INTA               1

#define BAR           0
#define BAR_SIZE      0x10000
#define DEVICE_CONFIG 0x0000
#define DEVICE_LIMIT  0x1000
#define DEVICE_PAGE   0x4000
#define COMMON        0x4000
#define ISR           0x5000
#define MSIX_TABLE    0x8000
#define MSIX_PBA      0x9000
#define PAGE          0x1000
#define NOTIFY        0xc000
#define NOTIFY_LIMIT  0x1000
#define NOTIFY_SIZE   4 /* notify_off_multiplier */

#define READS_BEFORE_OPEN 2 /* of the device's configuration: a driver that reads one field most often reads them all, but some read none */

/* Capabilities: 4.1.4. */
#define CAP_VENDOR_SPECIFIC 0x09
#define CAP_LEN             2
#define CAP_CFG_TYPE        3
#define CAP_BAR             4
#define CAP_OFFSET          8
#define CAP_LENGTH          12
#define CAP_SIZE            16
#define CAP_EXTRA           16 /* notify_off_multiplier, or pci_cfg_data */
enum {
  VIRTIO_PCI_CAP_COMMON_CFG = 1,
  VIRTIO_PCI_CAP_NOTIFY_CFG = 2,
  VIRTIO_PCI_CAP_ISR_CFG = 3,
  VIRTIO_PCI_CAP_DEVICE_CFG = 4,
  VIRTIO_PCI_CAP_PCI_CFG = 5,
};

/* ISR status: 4.1.4.5. */
#define ISR_QUEUE  1
#define ISR_CONFIG 2

/* The structures in the BAR. */

static uint64_t isr_read(VirtioPci *pci, uint64_t offset, unsigned size) {
  if (offset != 0)
    return 0;
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&pci->isr_lock);
  uint8_t isr = pci->isr;
  pci->isr = 0;
  pci_function_set_intx(&pci->function, false);
  return isr;
}

/* After anything that may have changed the device's configuration. */
static void store_config(VirtioPci *pci) {
  VirtioDevice *device = pci->device;
  unsigned size = device->ops->config_size;
  g_autofree uint8_t *config = g_malloc0(size + 1);

  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&pci->page_lock);
  virtio_config_read(device, 0, config, size);
  for (unsigned i = 0; i < size; i++)
    register_page_set(&pci->page, DEVICE_CONFIG + i, 1, config[i]);
}

static void config_changed(void *transport) {
  store_config(transport);
}

static uint64_t device_config_read(VirtioPci *pci, uint64_t offset, unsigned size) {
  if (pci->config_reads < READS_BEFORE_OPEN && ++pci->config_reads == READS_BEFORE_OPEN)
    register_page_open(&pci->page);
  return register_page_get(&pci->page, DEVICE_CONFIG + offset, size);
}

static void device_config_write(VirtioPci *pci, uint64_t offset, unsigned size, uint64_t value) {
  uint64_t bytes = GUINT64_TO_LE(value);

  virtio_config_write(pci->device, offset, &bytes, size);
  store_config(pci);
}

static void notify_write(VirtioPci *pci, uint64_t offset, unsigned size, uint64_t value) {
  if (offset % NOTIFY_SIZE == 0)
    virtio_ring_doorbell(pci->device, (unsigned)(offset / NOTIFY_SIZE));
}

static uint64_t table_read(VirtioPci *pci, uint64_t offset, unsigned size) {
  return pci->function.msix ? msix_table_read(pci->function.msix, offset, size) : 0;
}

static void table_write(VirtioPci *pci, uint64_t offset, unsigned size, uint64_t value) {
  if (pci->function.msix)
    msix_table_write(pci->function.msix, offset, size, value);
}

static uint64_t pba_read(VirtioPci *pci, uint64_t offset, unsigned size) {
  return pci->function.msix ? msix_pba_read(pci->function.msix, offset, size) : 0;
}

static const struct {
  uint32_t start, size;
  const char *name;
  uint64_t (*read)(VirtioPci *pci, uint64_t offset, unsigned size);
  void (*write)(VirtioPci *pci, uint64_t offset, unsigned size, uint64_t value);
} regions[] = {
    {COMMON, VIRTIO_PCI_COMMON_SIZE, NULL, virtio_pci_common_read, virtio_pci_common_write},
    {DEVICE_CONFIG, DEVICE_LIMIT, "device_config", device_config_read, device_config_write},
    {ISR, PAGE, "isr_status", isr_read, NULL},
    {MSIX_TABLE, PAGE, "msix_table", table_read, table_write},
    {MSIX_PBA, PAGE, "msix_pba", pba_read, NULL},
    {NOTIFY, NOTIFY_LIMIT, "queue_notify", NULL, notify_write},
};

static int region_at(uint64_t offset) {
  for (unsigned i = 0; i < G_N_ELEMENTS(regions); i++)
    if (offset - regions[i].start < regions[i].size)
      return (int)i;
  return -1;
}

static uint64_t bar_read(PciFunction *function, unsigned bar, uint64_t offset, unsigned size) {
  int region = region_at(offset);

  return region >= 0 && regions[region].read ? regions[region].read((VirtioPci *)function, offset - regions[region].start, size) : 0;
}

static void bar_write(PciFunction *function, unsigned bar, uint64_t offset, unsigned size, uint64_t value) {
  int region = region_at(offset);

  if (region >= 0 && regions[region].write)
    regions[region].write((VirtioPci *)function, offset - regions[region].start, size, value);
}

static const char *bar_register_name(const PciFunction *function, unsigned bar, uint64_t offset) {
  int region = region_at(offset);

  if (region < 0)
    return NULL;
  return regions[region].name ? regions[region].name : virtio_pci_common_name(offset - regions[region].start);
}

/* Doorbells and shortcuts. */

static void bar_mapped(PciFunction *function, unsigned bar, uint64_t address) {
  VirtioPci *pci = (VirtioPci *)function;
  Shortcuts *shortcuts = pci_function_shortcuts(function);

  for (unsigned i = 0; i < pci->device->n_queues; i++)
    pci->attached[i] =
        pci->doorbells->attach(pci->doorbells, address + NOTIFY + (uint64_t)NOTIFY_SIZE * i, 0, false, 0, pci->device->doorbell_fds[i]);
  if (!shortcuts)
    return;
  if (shortcuts->page_size <= DEVICE_PAGE)
    register_page_connect(&pci->page, shortcuts, address + DEVICE_CONFIG);
  pci->config_reads = 0;
  for (unsigned i = 0; i < G_N_ELEMENTS(virtio_pci_passive); i++)
    shortcuts->defer(shortcuts, address + COMMON + virtio_pci_passive[i].offset, virtio_pci_passive[i].size, DEFER_UNTIL_NEXT);
  for (unsigned i = 0; i < pci->n_msix_vectors; i++)
    shortcuts->defer(shortcuts, address + MSIX_TABLE + MSIX_ENTRY_SIZE * i, MSIX_ENTRY_MESSAGE, DEFER_UNTIL_NEXT);
}

static void end_shortcuts(VirtioPci *pci, Shortcuts *shortcuts, uint64_t address) {
  register_page_connect(&pci->page, NULL, 0);
  for (unsigned i = 0; i < G_N_ELEMENTS(virtio_pci_passive); i++)
    shortcuts->undefer(shortcuts, address + COMMON + virtio_pci_passive[i].offset);
  for (unsigned i = 0; i < pci->n_msix_vectors; i++)
    shortcuts->undefer(shortcuts, address + MSIX_TABLE + MSIX_ENTRY_SIZE * i);
}

static void bar_unmapped(PciFunction *function, unsigned bar, uint64_t address) {
  VirtioPci *pci = (VirtioPci *)function;

  for (unsigned i = 0; i < pci->device->n_queues; i++) {
    if (pci->attached[i])
      pci->doorbells->detach(pci->doorbells, address + NOTIFY + (uint64_t)NOTIFY_SIZE * i, 0, false, 0, pci->device->doorbell_fds[i]);
    pci->attached[i] = false;
  }
  if (pci_function_shortcuts(function))
    end_shortcuts(pci, pci_function_shortcuts(function), address);
}

/* Interrupts: from any thread. */

static void interrupt(VirtioPci *pci, const uint16_t *vector, uint8_t isr) {
  if (pci->function.msix && msix_enabled(pci->function.msix)) {
    msix_signal(pci->function.msix, __atomic_load_n(vector, __ATOMIC_SEQ_CST)); /* NO_VECTOR is out of range */
    return;
  }
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&pci->isr_lock);
  pci->isr |= isr;
  pci_function_set_intx(&pci->function, true);
}

void virtio_pci_set_queue_vector(VirtioPci *pci, unsigned queue, uint16_t vector) {
  MsiX *msix = pci->function.msix;
  int call_fd = virtio_call_fd(pci->device, queue);

  __atomic_store_n(&pci->queue_vectors[queue], vector, __ATOMIC_SEQ_CST);
  if (!msix || call_fd < 0)
    return;
  msix_detach(msix, call_fd);
  if (vector != VIRTIO_MSI_NO_VECTOR)
    msix_attach(msix, vector, call_fd);
}

static void queue_interrupt(void *transport, unsigned queue) {
  VirtioPci *pci = transport;

  interrupt(pci, &pci->queue_vectors[queue], ISR_QUEUE);
}

static void config_interrupt(void *transport) {
  VirtioPci *pci = transport;

  interrupt(pci, &pci->config_vector, ISR_CONFIG);
}

static const VirtioTransportOps transport_ops = {queue_interrupt, config_interrupt, config_changed};

/* The window from configuration space into the BAR: 4.1.4.9. */

static bool touches_window(const VirtioPci *pci, unsigned offset, unsigned size) {
  unsigned data = pci->pci_cfg + CAP_EXTRA;

  return offset < data + 4 && offset + size > data;
}

/* Where the guest has pointed the window, if that is a place: its SIZE is then 1, 2 or 4. */
static bool window_target(const VirtioPci *pci, uint32_t *offset, uint32_t *size) {
  const PciFunction *function = &pci->function;

  *offset = pci_config_get(function, pci->pci_cfg + CAP_OFFSET, 4);
  *size = pci_config_get(function, pci->pci_cfg + CAP_LENGTH, 4);
  return pci_config_get(function, pci->pci_cfg + CAP_BAR, 1) == BAR && (*size == 1 || *size == 2 || *size == 4) && *offset % *size == 0 &&
         *offset < BAR_SIZE;
}

static void config_read(PciFunction *function, unsigned offset, unsigned size) {
  VirtioPci *pci = (VirtioPci *)function;
  uint32_t target, target_size;

  if (touches_window(pci, offset, size) && window_target(pci, &target, &target_size))
    pci_config_set(function, pci->pci_cfg + CAP_EXTRA, 4, (uint32_t)bar_read(function, BAR, target, target_size));
}

static void config_written(PciFunction *function, unsigned offset, unsigned size) {
  VirtioPci *pci = (VirtioPci *)function;
  uint32_t target, target_size;

  /* A read of the window is one of a register: no shortcut while it points anywhere. */
  pci_function_want_reads(function, window_target(pci, &target, &target_size));
  if (touches_window(pci, offset, size) && window_target(pci, &target, &target_size))
    bar_write(function, BAR, target, target_size, pci_config_get(function, pci->pci_cfg + CAP_EXTRA, target_size));
}

/* Capabilities. */

static unsigned add_capability(PciFunction *function, uint8_t type, uint32_t offset, uint32_t length, bool extra) {
  unsigned size = extra ? CAP_SIZE + 4 : CAP_SIZE;
  unsigned capability = pci_function_add_capability(function, CAP_VENDOR_SPECIFIC, size);

  pci_config_set(function, capability + CAP_LEN, 1, size);
  pci_config_set(function, capability + CAP_CFG_TYPE, 1, type);
  pci_config_set(function, capability + CAP_BAR, 1, BAR);
  pci_config_set(function, capability + CAP_OFFSET, 4, offset);
  pci_config_set(function, capability + CAP_LENGTH, 4, length);
  return capability;
}

static void add_capabilities(VirtioPci *pci) {
  PciFunction *function = &pci->function;
  unsigned notify;

  add_capability(function, VIRTIO_PCI_CAP_COMMON_CFG, COMMON, VIRTIO_PCI_COMMON_SIZE, false);
  notify = add_capability(function, VIRTIO_PCI_CAP_NOTIFY_CFG, NOTIFY, NOTIFY_SIZE * pci->device->n_queues, true);
  pci_config_set(function, notify + CAP_EXTRA, 4, NOTIFY_SIZE);
  add_capability(function, VIRTIO_PCI_CAP_ISR_CFG, ISR, 1, false);
  /* 4.1.4.6: only a device that has a configuration of its own. */
  if (pci->device->ops->config_size)
    add_capability(function, VIRTIO_PCI_CAP_DEVICE_CFG, DEVICE_CONFIG, pci->device->ops->config_size, false);
  pci->pci_cfg = add_capability(function, VIRTIO_PCI_CAP_PCI_CFG, 0, 0, true);
  pci_config_allow(function, pci->pci_cfg + CAP_BAR, 1, UINT8_MAX);
  pci_config_allow(function, pci->pci_cfg + CAP_OFFSET, 4, UINT32_MAX);
  pci_config_allow(function, pci->pci_cfg + CAP_LENGTH, 4, UINT32_MAX);
  pci_config_allow(function, pci->pci_cfg + CAP_EXTRA, 4, UINT32_MAX);
}

/* PCI Code and ID Assignment Specification 1.11: what the device would be without virtio. */
static uint32_t class_code(VirtioId id) {
  switch (id) {
  case VIRTIO_ID_NET:
    return 0x020000; /* Ethernet controller */
  case VIRTIO_ID_BLOCK:
    return 0x010000; /* SCSI storage: no class fits better */
  case VIRTIO_ID_CONSOLE:
    return 0x078000; /* other communication controller */
  case VIRTIO_ID_ENTROPY:
  default:
    return 0xff0000; /* fits no class */
  }
}

/* Life. */

void virtio_pci_reset_transport(VirtioPci *pci) {
  pci->device_feature_select = pci->driver_feature_select = 0;
  pci->queue_select = 0;
  __atomic_store_n(&pci->config_vector, VIRTIO_MSI_NO_VECTOR, __ATOMIC_SEQ_CST);
  for (unsigned i = 0; i < pci->device->n_queues; i++)
    virtio_pci_set_queue_vector(pci, i, VIRTIO_MSI_NO_VECTOR);
  isr_read(pci, 0, 1);
}

static void plugged(PciFunction *function) {
  VirtioPci *pci = (VirtioPci *)function;

  if (!pci_function_msi(function))
    return;
  pci->n_msix_vectors =
      pci->device->ops->shared_vector ? 2 : MIN(pci->device->n_queues + 1, MSIX_MAX_VECTORS); /* one for configuration changes */
  function->msix = msix_new(function, pci->n_msix_vectors, BAR, MSIX_TABLE, MSIX_PBA);
}

static void pci_reset(PciFunction *function) {
  VirtioPci *pci = (VirtioPci *)function;

  pci_function_want_reads(function, false);
  virtio_device_reset(pci->device);
  virtio_pci_reset_transport(pci);
  store_config(pci);
}

static void pci_pause(PciFunction *function) {
  virtio_device_pause(((VirtioPci *)function)->device);
}

static void pci_resume(PciFunction *function) {
  virtio_device_resume(((VirtioPci *)function)->device);
}

static void pci_free(PciFunction *function) {
  VirtioPci *pci = (VirtioPci *)function;

  for (unsigned i = 0; i < pci->device->n_queues; i++)
    virtio_pci_set_queue_vector(pci, i, VIRTIO_MSI_NO_VECTOR); /* while its call is open */
  virtio_device_free(pci->device);                             /* its thread may interrupt until it is gone */
  msix_free(function->msix);
  g_mutex_clear(&pci->isr_lock);
  g_mutex_clear(&pci->page_lock);
  register_page_clear(&pci->page);
  g_free(pci->attached);
  g_free(pci->queue_vectors);
  pci_function_clear(function);
  g_free(pci);
}

static const PciFunctionOps pci_ops = {
    .bar_read = bar_read,
    .bar_write = bar_write,
    .bar_mapped = bar_mapped,
    .bar_unmapped = bar_unmapped,
    .config_written = config_written,
    .config_read = config_read,
    .bar_register_name = bar_register_name,
    .plugged = plugged,
    .reset = pci_reset,
    .pause = pci_pause,
    .resume = pci_resume,
    .free = pci_free,
};

PciFunction *virtio_pci_new(VirtioDevice *device, Doorbells *doorbells) {
  VirtioPci *pci = g_new0(VirtioPci, 1);
  VirtioId id = device->ops->id;

  g_assert(device->n_queues <= NOTIFY_LIMIT / NOTIFY_SIZE && device->ops->config_size <= DEVICE_LIMIT);
  pci->device = device;
  pci->doorbells = doorbells;
  pci->attached = g_new0(bool, device->n_queues);
  pci->queue_vectors = g_new0(uint16_t, device->n_queues);
  g_mutex_init(&pci->isr_lock);
  g_mutex_init(&pci->page_lock);
  register_page_init(&pci->page, DEVICE_PAGE);
  pci_function_init(&pci->function, &pci_ops, device->name, VIRTIO_PCI_VENDOR, (uint16_t)(VIRTIO_PCI_DEVICE_BASE + id), VIRTIO_PCI_REVISION,
                    class_code(id), VIRTIO_PCI_VENDOR, VIRTIO_PCI_SUBSYSTEM, PIN_INTA);
  pci_function_add_bar(&pci->function, BAR, BAR_SIZE, false, false);
  add_capabilities(pci);
  virtio_device_connect(device, &transport_ops, pci);
  virtio_pci_reset_transport(pci);
  store_config(pci);
  return &pci->function;
}
