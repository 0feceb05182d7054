/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes the devices of a board. One constructor a kind, in a table; the bus, the reset and the device tree go over the
 * same array, so that no device can be on one and missing on another.
 */
#include "vmm/machine/platform.h"
#include "devices/virtio/transport.h"

#include "devices/backend/disk-image.h"
#include "devices/gicv2m.h"
#include "devices/pci/pci.h"
#include "devices/pl011.h"
#include "devices/pl031.h"
#include "devices/pl061.h"
#include "devices/scratch.h"
#include "devices/virtio/blk.h"
#include "devices/virtio/console.h"
#include "devices/virtio/input.h"
#include "devices/virtio/rng.h"
#include "fdt/fdt-nodes.h"
#include "vmm/base/descriptors.h"

typedef struct {
  Platform *platform;
  PciHost *pci; /* NULL until made */
} Assembly;

/* A line that tells the watch when it is raised. */
typedef struct {
  IrqLine line;
  IrqLine *wire; /* the wiring's */
  DeviceWatch *watch;
  const char *device; /* the board's name for it */
  bool edge;
  gint level; /* atomic */
} WatchedLine;

static void watched_set(IrqLine *line, bool level) {
  WatchedLine *watched = (WatchedLine *)line;

  /* What changes nothing is no interrupt: a level line is often set to what it is. */
  if (level && (watched->edge || !__atomic_exchange_n(&watched->level, 1, __ATOMIC_SEQ_CST)))
    watched->watch->interrupt(watched->watch, watched->device, 0);
  if (!level)
    __atomic_store_n(&watched->level, 0, __ATOMIC_SEQ_CST);
  irq_line_set(watched->wire, level);
}

static IrqLine *host_line(Platform *platform, const BoardDevice *device) {
  return platform->wiring->irq_line(platform->wiring, device->slot.spi, device->slot.trigger);
}

/* Of a device that does not tell the watch itself. */
static IrqLine *irq_line(Platform *platform, const BoardDevice *device) {
  IrqLine *wire = host_line(platform, device);

  if (!platform->wiring->watch)
    return wire;
  WatchedLine *watched = g_new0(WatchedLine, 1);
  *watched = (WatchedLine){
      .line = {watched_set},
      .wire = wire,
      .watch = platform->wiring->watch,
      .device = device->name,
      .edge = device->slot.trigger == FDT_IRQ_EDGE_RISING,
  };
  g_ptr_array_add(platform->lines, watched);
  return &watched->line;
}

/* Owns DEVICE from now on, whatever happens. */
static bool place(Platform *platform, Device *device, const DeviceSlot *slot, GError **error) {
  g_ptr_array_add(platform->devices, device);
  g_array_append_val(platform->slots, *slot);
  return bus_add(platform->bus, slot, device, error);
}

static bool make_pl011(Assembly *assembly, const BoardDevice *device, GError **error) {
  Platform *platform = assembly->platform;
  return place(platform, pl011_new(irq_line(platform, device), platform->wiring->console), &device->slot, error);
}

static bool make_pl031(Assembly *assembly, const BoardDevice *device, GError **error) {
  Platform *platform = assembly->platform;
  return place(platform, pl031_new(irq_line(platform, device), platform->wiring->clock), &device->slot, error);
}

static bool make_pl061(Assembly *assembly, const BoardDevice *device, GError **error) {
  Platform *platform = assembly->platform;
  platform->gpio = pl061_new(irq_line(platform, device));
  return place(platform, platform->gpio, &device->slot, error);
}

static void raise_edge(void *opaque, uint32_t intid) {
  Platform *platform = opaque;
  irq_line_set(platform->wiring->irq_line(platform->wiring, intid - SPI_TO_INTID, FDT_IRQ_EDGE_RISING), true);
}

static bool make_hypercall_doorbell(Assembly *assembly, const BoardDevice *device, GError **error) {
  PlatformWiring *wiring = assembly->platform->wiring;
  return place(assembly->platform, hypercall_doorbell_new(&wiring->hypercall_info, wiring->hypercall, wiring), &device->slot, error);
}

static bool make_scratch(Assembly *assembly, const BoardDevice *device, GError **error) {
  return place(assembly->platform, scratch_new(), &device->slot, error);
}

static bool make_gicv2m(Assembly *assembly, const BoardDevice *device, GError **error) {
  Platform *platform = assembly->platform;
  return place(platform, gicv2m_new(LAYOUT_SPI_GICV2M, LAYOUT_GICV2M_SPIS, raise_edge, platform), &device->slot, error);
}

static bool make_pci_host(Assembly *assembly, const BoardDevice *device, GError **error) {
  Platform *platform = assembly->platform;
  const Board *board = platform->board;
  PciHostConfig config = {
      .ecam_base = device->slot.base,
      .window32_base = LAYOUT.pci_window32.base,
      .window32_size = LAYOUT.pci_window32.size,
      .window64_base = board->pci_window64.base,
      .window64_size = board->pci_window64.size,
      .msi = platform->wiring->msi,
  };

  for (unsigned pin = 0; pin < G_N_ELEMENTS(config.intx); pin++) {
    config.intx_spi[pin] = device->slot.spi + pin;
    config.intx[pin] = platform->wiring->irq_line(platform->wiring, config.intx_spi[pin], FDT_IRQ_LEVEL_HIGH);
  }
  assembly->pci = pci_host_new(&config, error);
  if (!assembly->pci || !place(platform, pci_host_ecam(assembly->pci), &device->slot, error))
    return false;

  /* The windows are parts of the host: on the bus, but described, reset and freed with it. */
  DeviceSlot window32 = {.base = config.window32_base, .size = config.window32_size, .spi = DEVICE_NO_SPI};
  DeviceSlot window64 = {.base = config.window64_base, .size = config.window64_size, .spi = DEVICE_NO_SPI};
  return bus_add(platform->bus, &window32, pci_host_window32(assembly->pci), error) &&
         bus_add(platform->bus, &window64, pci_host_window64(assembly->pci), error);
}

/* Puts a virtio device behind the transport that the board chose. */
static bool plug_virtio(Assembly *assembly, const BoardDevice *device, VirtioDevice *virtio, GError **error) {
  Platform *platform = assembly->platform;

  if (!virtio)
    return false;
  virtio->watch = platform->wiring->watch;
  if (device->pci_slot < 0) {
    Device *mmio = virtio_mmio_new(virtio, host_line(platform, device), platform->wiring->doorbells);
    virtio_mmio_attach_doorbells(mmio, device->slot.base);
    return place(platform, mmio, &device->slot, error);
  }
  bool plugged = pci_host_add(assembly->pci, (unsigned)device->pci_slot, virtio_pci_new(virtio, platform->wiring->doorbells));
  g_assert(plugged); /* the board gives each function a place of its own */
  return true;
}

static bool make_virtio_console(Assembly *assembly, const BoardDevice *device, GError **error) {
  Platform *platform = assembly->platform;
  platform->virtio_console = virtio_console_new(device->name, platform->wiring->memory, platform->wiring->console, error);
  return plug_virtio(assembly, device, platform->virtio_console, error);
}

static bool make_virtio_console_ports(Assembly *assembly, const BoardDevice *device, GError **error) {
  Platform *platform = assembly->platform;
  const PlatformWiring *wiring = platform->wiring;
  platform->virtio_ports = virtio_console_ports_new(device->name, wiring->memory, wiring->ports, wiring->n_ports, wiring->ports_ops,
                                                    wiring->ports_opaque, error);
  return plug_virtio(assembly, device, platform->virtio_ports, error);
}

static bool make_virtio_blk(Assembly *assembly, const BoardDevice *device, GError **error) {
  const DiskConfig *disk = device->disk;
  DiskImage *image = disk_image_open(disk->path, disk->read_only, disk->format, DISK_IMAGE_ENGINE_AUTO, error);

  if (!image)
    return false;
  return plug_virtio(assembly, device, virtio_blk_new(device->name, assembly->platform->wiring->memory, image, disk->serial, error), error);
}

static bool make_virtio_rng(Assembly *assembly, const BoardDevice *device, GError **error) {
  return plug_virtio(assembly, device, virtio_rng_new(device->name, assembly->platform->wiring->memory, error), error);
}

static bool make_virtio_input(Assembly *assembly, const BoardDevice *device, GError **error) {
  Platform *platform = assembly->platform;
  platform->virtio_input = virtio_input_new(device->name, platform->wiring->memory, error);
  return plug_virtio(assembly, device, platform->virtio_input, error);
}

static bool (*const makers[])(Assembly *assembly, const BoardDevice *device, GError **error) = {
    [BOARD_PL011] = make_pl011,
    [BOARD_PL031] = make_pl031,
    [BOARD_PL061] = make_pl061,
    [BOARD_GICV2M] = make_gicv2m,
    [BOARD_HYPERCALL_DOORBELL] = make_hypercall_doorbell,
    [BOARD_SCRATCH] = make_scratch,
    [BOARD_PCI_HOST] = make_pci_host,
    [BOARD_VIRTIO_CONSOLE] = make_virtio_console,
    [BOARD_VIRTIO_CONSOLE_PORTS] = make_virtio_console_ports,
    [BOARD_VIRTIO_BLK] = make_virtio_blk,
    [BOARD_VIRTIO_RNG] = make_virtio_rng,
    [BOARD_VIRTIO_INPUT] = make_virtio_input,
};

static void free_device(gpointer device) {
  device_free(device);
}

Platform *platform_new(const Board *board, PlatformWiring *wiring, GError **error) {
  g_autoptr(Platform) platform = g_new0(Platform, 1);
  Assembly assembly = {.platform = platform};

  if (!descriptors_suffice(board_descriptors(board), error))
    return NULL;
  platform->board = board;
  platform->wiring = wiring;
  platform->bus = bus_new();
  platform->devices = g_ptr_array_new_with_free_func(free_device);
  platform->slots = g_array_new(FALSE, FALSE, sizeof(DeviceSlot));
  platform->lines = g_ptr_array_new_with_free_func(g_free);
  for (unsigned i = 0; i < board->devices->len; i++) {
    const BoardDevice *device = g_ptr_array_index(board->devices, i);
    if (!makers[device->kind](&assembly, device, error))
      return NULL;
  }
  bus_seal(platform->bus);
  for (unsigned i = 0; wiring->shortcuts && i < platform->devices->len; i++)
    device_connect(g_ptr_array_index(platform->devices, i), &g_array_index(platform->slots, DeviceSlot, i), wiring->shortcuts);
  return g_steal_pointer(&platform);
}

void platform_free(Platform *platform) {
  if (!platform)
    return;
  g_clear_pointer(&platform->devices, g_ptr_array_unref);
  g_clear_pointer(&platform->slots, g_array_unref);
  g_clear_pointer(&platform->lines, g_ptr_array_unref);
  g_clear_pointer(&platform->bus, bus_free);
  g_free(platform);
}

static void for_each(Platform *platform, void (*function)(Device *)) {
  for (unsigned i = 0; i < platform->devices->len; i++)
    function(g_ptr_array_index(platform->devices, i));
}

bool platform_set_power_button(const Platform *platform, bool pressed) {
  if (platform->gpio)
    pl061_set_power_button(platform->gpio, pressed);
  if (platform->virtio_input)
    virtio_input_set_power_button(platform->virtio_input, pressed);
  return platform->gpio || platform->virtio_input;
}

void platform_reset(Platform *platform) {
  for_each(platform, device_reset);
}

void platform_pause(Platform *platform) {
  for_each(platform, device_pause);
}

void platform_resume(Platform *platform) {
  for_each(platform, device_resume);
}
