/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The boot order of a board. Firmware finds a device by its path: a PCI function by its number on the bus, whatever the
 * host bridge's address is written as, a virtio-mmio device by its address.
 */
#include "vmm/config/board.h"

static DeviceBoot boot(const BoardDevice *device) {
  return device->kind->boot ? device->kind->boot(device->asked) : (DeviceBoot){0};
}

static int compare_places(gconstpointer a, gconstpointer b) {
  unsigned left = boot(*(const BoardDevice *const *)a).index, right = boot(*(const BoardDevice *const *)b).index;

  return left < right ? -1 : left > right;
}

static void append_path(GString *text, const Board *board, const BoardDevice *device) {
  DeviceBoot names = boot(device);

  if (text->len)
    g_string_append_c(text, '\n');
  if (device->pci_slot >= 0)
    g_string_append_printf(text, "/pci@%" G_GINT64_MODIFIER "x/%s@%x/%s", board_find(board, &pci_host_kind)->slot.base, names.function,
                           (unsigned)device->pci_slot, names.unit);
  else
    g_string_append_printf(text, "/virtio-mmio@%016" G_GINT64_MODIFIER "x/%s", device->slot.base, names.unit);
}

/* The devices that have a place in it, in that order. */
static GPtrArray *ordered(const Board *board) {
  GPtrArray *devices = g_ptr_array_new();

  for (unsigned i = 0; i < board->devices->len; i++)
    if (boot(board->devices->pdata[i]).index)
      g_ptr_array_add(devices, board->devices->pdata[i]);
  g_ptr_array_sort(devices, compare_places);
  return devices;
}

char *board_boot_names(const Board *board) {
  g_autoptr(GPtrArray) devices = ordered(board);
  GString *text = g_string_new(NULL);

  for (unsigned i = 0; i < devices->len; i++)
    g_string_append_printf(text, "%s%s", i ? ", " : "", ((const BoardDevice *)devices->pdata[i])->name);
  return g_string_free(text, devices->len == 0);
}

char *board_boot_order(const Board *board) {
  g_autoptr(GPtrArray) devices = ordered(board);
  GString *text = g_string_new(NULL);

  for (unsigned i = 0; i < devices->len; i++)
    append_path(text, board, devices->pdata[i]);
  return g_string_free(text, devices->len == 0);
}
