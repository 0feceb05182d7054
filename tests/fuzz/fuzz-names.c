/* SPDX-License-Identifier: Apache-2.0 */
/* Short texts that name something: each line is read as each of them. */
#include "tests/fuzz/fuzz.h"

#include "devices/backend/disk-image-format.h"
#include "devices/virtio/net.h"
#include "devices/virtio/vsock.h"
#include "vmm/boot/command-line.h"
#include "vmm/control/runtime-directory.h"
#include "vmm/control/ssh-key.h"
#include "vmm/cpu/pin.h"
#include "vmm/helpers/image-name.h"
#include "vmm/helpers/nbd-uri.h"
#include "vmm/helpers/storage-file.h"
#include "vmm/options/option.h"
#include "vmm/suite/case-file.h"

static void read_nbd(const char *text) {
  const char *why = NULL;
  g_autoptr(NbdAddress) address = nbd_uri_parse(text, &why);

  g_assert_true(address || why);
  g_assert_true(!address || (address->export_name && !address->host == !!address->socket));
}

static void read_image_name(const char *text) {
  g_autofree char *why = NULL;
  size_t length = 0;
  g_autoptr(ImageName) name = image_name_parse(text, &why);
  const char *path = image_name_find_path(text, &length);

  g_assert_true(!name == !!why);
  g_assert_true(!path || (path >= text && path + length <= text + strlen(text)));
}

static void read_command_line(const char *text) {
  g_autofree char *line = g_strdup(text), *why = NULL;

  command_line_add(&line, "root=/dev/vda");
  g_assert_true(command_line_has(line, "root"));
  command_line_fits(line, strlen(text), &why);
}

static void read_text(const char *text) {
  uint8_t mac[NET_MAC_SIZE];
  uint64_t size;
  uint32_t cid;
  g_autofree char *reason = NULL;
  g_autoptr(GError) error = NULL;
  const char *why;

  read_nbd(text);
  read_image_name(text);
  read_command_line(text);
  virtio_net_parse_mac(text, mac);
  virtio_vsock_parse_cid(text, false, &cid, &reason);
  if (size_parse(text, &size, &why))
    g_free(size_format(size));
  g_assert_true(pin_is_valid(text, &error) == !error);
  g_free(ssh_key_parse(text, strlen(text), &why));
  runtime_name_is_valid(text);
  g_autofree char *file = case_file_name(text, text, 2);
  g_assert_null(strchr(file, '/'));
}

static void read_header(const uint8_t *data, size_t size) {
  DiskImageFormat format = disk_image_format_of(data, size);
  g_autoptr(GError) error = NULL;
  FuzzFile file;

  g_assert_nonnull(disk_image_format_name(format));
  fuzz_file_init(&file, data, size);
  storage_file_free(storage_file_open(file.path, DISK_IMAGE_FORMAT_QCOW2, &error));
  fuzz_file_clear(&file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  FuzzInput input = {data, size};
  g_autofree uint8_t *copy = fuzz_copy(data, size);

  read_header(copy, size);
  while (input.left) {
    g_autofree char *text = fuzz_line(&input);
    read_text(text);
  }
  return 0;
}
