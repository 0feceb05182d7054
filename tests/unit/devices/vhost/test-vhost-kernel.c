/* SPDX-License-Identifier: Apache-2.0 */
/* The kernel's vhost, as far as it goes without one: devices/vhost/vhost-kernel.c. */
#include <glib.h>
#include <string.h>

#include "devices/vhost/vhost-kernel.h"

static void test_absent(void) {
  g_autoptr(GError) error = NULL;
  uint64_t cid = 3;

  g_assert_null(vhost_kernel_net_new("/nowhere/vhost-net", 0, &error));
  g_assert_error(error, G_FILE_ERROR, G_FILE_ERROR_NOENT);
  g_assert_true(strstr(error->message, "/nowhere/vhost-net"));
  g_assert_true(strstr(error->message, "modprobe"));
  g_clear_error(&error);
  g_assert_null(vhost_kernel_vsock_new("/nowhere/vhost-vsock", &cid, &error));
  g_assert_error(error, G_FILE_ERROR, G_FILE_ERROR_NOENT);
}

/* A device that is none of vhost's. */
static void test_another_device(void) {
  g_autoptr(GError) error = NULL;
  uint64_t cid = 3;

  g_assert_null(vhost_kernel_vsock_new("/dev/null", &cid, &error));
  g_assert_true(g_str_has_prefix(error->message, "/dev/null cannot be used: "));
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/vhost-kernel/absent", test_absent);
  g_test_add_func("/vhost-kernel/another-device", test_another_device);
  return g_test_run();
}
