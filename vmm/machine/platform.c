/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes the devices of a board, each as its kind says; the bus, the reset and the device tree go over the same array,
 * so that no device can be on one and missing on another.
 */
#include "vmm/machine/platform.h"

#include "devices/virtio/transport.h"
#include "vmm/base/descriptors.h"

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

/* Of a device that does not tell the watch itself. */
static IrqLine *watched_line(Platform *platform, const BoardDevice *device, IrqLine *wire) {
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

static IrqLine *host_line(const DeviceParts *parts) {
  return parts->irqs->line(parts->irqs, parts->slot->spi, parts->slot->trigger);
}

static bool make_device(Platform *platform, PlatformDevice *made, DeviceParts *parts, GError **error) {
  if (made->plan->kind->n_spis == 1)
    parts->irq = watched_line(platform, made->plan, host_line(parts));
  made->device = made->plan->kind->make(parts, error);
  return made->device;
}

/* Puts a virtio device behind the transport that the board chose. */
static bool make_virtio(Platform *platform, PlatformDevice *made, DeviceParts *parts, GError **error) {
  Doorbells *doorbells = platform->wiring->doorbells;
  int slot = made->plan->pci_slot;

  made->virtio = made->plan->kind->make_virtio(parts, error);
  if (!made->virtio)
    return false;
  made->virtio->watch = platform->wiring->watch;
  made->virtio->threads = platform->wiring->threads;
  if (slot < 0) {
    made->device = virtio_mmio_new(made->virtio, host_line(parts), doorbells);
    virtio_mmio_attach_doorbells(made->device, parts->slot->base);
    return true;
  }
  bool plugged = pci_host_add(platform_find(platform, &pci_host_kind), (unsigned)slot, virtio_pci_new(made->virtio, doorbells));
  g_assert(plugged); /* the board gives each function a place of its own */
  return true;
}

static bool add_device(Platform *platform, const BoardDevice *plan, GError **error) {
  PlatformDevice made = {.plan = plan};
  DeviceParts parts = platform->wiring->parts;

  parts.machine = platform->board->config->name;
  parts.name = plan->name;
  parts.index = plan->index;
  parts.asked = plan->asked;
  parts.slot = &plan->slot;
  parts.bus = platform->bus;
  parts.watch = platform->wiring->watch;
  if (!(plan->kind->make_virtio ? make_virtio : make_device)(platform, &made, &parts, error))
    return false;
  g_array_append_val(platform->devices, made);
  return !made.device || bus_add(platform->bus, &plan->slot, made.device, error);
}

static void free_device(gpointer made) {
  device_free(((PlatformDevice *)made)->device);
}

Platform *platform_new(const Board *board, PlatformWiring *wiring, GError **error) {
  g_autoptr(Platform) platform = g_new0(Platform, 1);

  if (!descriptors_suffice(board_descriptors(board), error))
    return NULL;
  platform->board = board;
  platform->wiring = wiring;
  platform->bus = bus_new();
  platform->devices = g_array_new(FALSE, FALSE, sizeof(PlatformDevice));
  g_array_set_clear_func(platform->devices, free_device);
  platform->lines = g_ptr_array_new_with_free_func(g_free);
  for (unsigned i = 0; i < board->devices->len; i++)
    if (!add_device(platform, g_ptr_array_index(board->devices, i), error))
      return NULL;
  bus_seal(platform->bus);
  for (unsigned i = 0; wiring->shortcuts && i < platform->devices->len; i++) {
    const PlatformDevice *made = &g_array_index(platform->devices, PlatformDevice, i);
    if (made->device && (!wiring->for_code_alone || made->plan->kind->holds_code))
      device_connect(made->device, &made->plan->slot, wiring->shortcuts);
  }
  return g_steal_pointer(&platform);
}

void platform_free(Platform *platform) {
  if (!platform)
    return;
  g_clear_pointer(&platform->devices, g_array_unref);
  g_clear_pointer(&platform->lines, g_ptr_array_unref);
  g_clear_pointer(&platform->bus, bus_free);
  g_free(platform);
}

static void *model_of(const PlatformDevice *made) {
  return made->virtio ? (void *)made->virtio : made->device;
}

void *platform_find(const Platform *platform, const DeviceKind *kind) {
  for (unsigned i = 0; i < platform->devices->len; i++) {
    const PlatformDevice *made = &g_array_index(platform->devices, PlatformDevice, i);
    if (made->plan->kind == kind)
      return model_of(made);
  }
  return NULL;
}

static void for_each(Platform *platform, void (*function)(Device *)) {
  for (unsigned i = 0; i < platform->devices->len; i++) {
    Device *device = g_array_index(platform->devices, PlatformDevice, i).device;
    if (device)
      function(device);
  }
}

bool platform_has_threads(const Platform *platform) {
  for (unsigned i = 0; i < platform->devices->len; i++)
    if (g_array_index(platform->devices, PlatformDevice, i).virtio)
      return true;
  return false;
}

bool platform_set_power_button(const Platform *platform, bool pressed) {
  bool has_one = false;

  for (unsigned i = 0; i < platform->devices->len; i++) {
    const PlatformDevice *made = &g_array_index(platform->devices, PlatformDevice, i);
    if (!made->plan->kind->set_power_button)
      continue;
    made->plan->kind->set_power_button(model_of(made), pressed);
    has_one = true;
  }
  return has_one;
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
