/* SPDX-License-Identifier: Apache-2.0 */
/* The boot order of a board: vmm/config/boot-order.c. The paths are what QEMU tells firmware of the same devices. */
#include <glib.h>

#include "tests/unit/directory.h"
#include "vmm/config/board.h"

static char *order_of(const char *format, ...) G_GNUC_PRINTF(1, 2);
static char *order_of(const char *format, ...) {
  va_list list;
  va_start(list, format);
  g_autofree char *line = g_strdup_vprintf(format, list);
  va_end(list);
  g_auto(GStrv) argv = g_strsplit(line, " ", -1);
  g_autoptr(GError) error = NULL;
  bool help = false;
  g_autoptr(Config) config = config_parse((int)g_strv_length(argv), argv, &help, &error);

  g_assert_no_error(error);
  g_autoptr(Board) board = board_new(config, GIC_V3, &error);
  g_assert_no_error(error);
  char *order = board_boot_order(board);
  const BoardDevice *device = board_find(board, &fw_cfg_kind);
  g_assert_true(!order == !device); /* it is there where there is something in it */
  g_assert_true(!device || device->slot.base == 0x09020000);
  return order;
}

int main(int argc, char **argv) {
  g_autofree char *directory = directory_new();
  g_autofree char *a = g_build_filename(directory, "a.img", NULL), *b = g_build_filename(directory, "b.img", NULL);

  g_assert_true(g_file_set_contents(a, "a", -1, NULL) && g_file_set_contents(b, "b", -1, NULL));
  g_autofree char *none = order_of("--dry-run --disk %s --net user", a);
  g_autofree char *pci = order_of("--dry-run --rng --disk %s,bootindex=20 --disk %s,bootindex=3 --net user,bootindex=7", a, b);
  g_autofree char *mmio = order_of("--dry-run --transport mmio --disk %s --disk %s,bootindex=2 --net user,bootindex=1", a, b);
  g_autofree char *user = order_of("--dry-run --disk %s,bootindex=4 --device vhost-user=/a,type=block,bootindex=2"
                                   " --device vhost-user=/b,type=8,bootindex=1 --device vhost-user=/c,type=net,bootindex=5"
                                   " --device vhost-user=/d,type=rng --device vhost-user=/e,type=fs,bootindex=3",
                                   a);
  g_autofree char *user_mmio = order_of("--dry-run --transport mmio --device vhost-user=/f,type=scsi,bootindex=1");
  directory_free(directory);
  g_assert_null(none);
  g_assert_cmpstr(pci, ==,
                  "/pci@3f000000/scsi@2/disk@0,0\n"
                  "/pci@3f000000/ethernet@3/ethernet-phy@0\n"
                  "/pci@3f000000/scsi@1/disk@0,0");
  g_assert_cmpstr(mmio, ==, "/virtio-mmio@000000000a000400/ethernet-phy@0\n/virtio-mmio@000000000a000200/disk@0,0");
  g_assert_cmpstr(user, ==,
                  "/pci@3f000000/scsi@3/channel@0/disk@0,0\n"
                  "/pci@3f000000/scsi@2/disk@0,0\n"
                  "/pci@3f000000/pci1af4,105a@6/filesystem@0\n"
                  "/pci@3f000000/scsi@1/disk@0,0\n"
                  "/pci@3f000000/ethernet@4/ethernet-phy@0");
  g_assert_cmpstr(user_mmio, ==, "/virtio-mmio@000000000a000000/channel@0/disk@0,0");
  g_print("1..1\nok 1 - firmware is told in which order to boot\n");
  return 0;
}
