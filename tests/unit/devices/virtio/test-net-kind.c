/* SPDX-License-Identifier: Apache-2.0 */
/* What a machine knows of a network card: devices/virtio/net-kind.c. */
#include "devices/user-network.h"
#include "devices/virtio/net-internal.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const GuestMemory memory;

static void test_parse_mac(void) {
  static const char *const wrong[] = {"",
                                      "02:00:00:12:34",
                                      "02:00:00:12:34:5",
                                      "02:00:00:12:34:567",
                                      "02-00-00-12-34-56",
                                      "02:00:00:12:34:5g",
                                      " 2:00:00:12:34:56",
                                      "00:00:00:00:00:00",
                                      "01:00:00:12:34:56",
                                      "ff:ff:ff:ff:ff:ff"};
  uint8_t mac[NET_MAC_SIZE];

  g_assert_true(virtio_net_parse_mac("52:54:00:aB:Cd:eF", mac));
  g_assert_cmpmem(mac, sizeof mac, ((const uint8_t[]){0x52, 0x54, 0, 0xab, 0xcd, 0xef}), 6);
  for (unsigned i = 0; i < G_N_ELEMENTS(wrong); i++)
    g_assert_false(virtio_net_parse_mac(wrong[i], mac));
}

static void test_print(void) {
  static const struct {
    NetConfig config;
    const char *text;
  } cases[] = {
      {{.tap = (char *)"tap0"}, "tap tap0"},
      {{.tap = (char *)"tap0", .queues = 4}, "tap tap0, 4 queues"},
      {{.fd = 7, .queues = 1}, "tap at descriptor 7"},
      {{.unix_path = (char *)"a\nb"}, "socket a\\u000ab"},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autofree char *text = virtio_net_kind.print_asked(&cases[i].config);
    g_assert_cmpstr(text, ==, cases[i].text);
  }
}

static void test_print_user(void) {
  const char *forwards[] = {"2222:22", "53:53/udp\n"};
  GPtrArray list = {.pdata = (gpointer *)forwards, .len = 2};
  const NetConfig plain = {.user = true}, full = {.user = true, .forwards = &list, .restricted = true};
  g_autofree char *one = virtio_net_kind.print_asked(&plain), *other = virtio_net_kind.print_asked(&full);

  g_assert_cmpstr(one, ==, "user network");
  g_assert_cmpstr(other, ==, "user network, forwards 2222:22, 53:53/udp\\u000a, restricted");
}

static VirtioDevice *make_of(const DeviceParts *parts) {
  g_autoptr(GError) error = NULL;
  VirtioDevice *device = virtio_net_kind.make_virtio(parts, &error);

  g_assert_no_error(error);
  return device;
}

static VirtioDevice *make(const NetConfig *config, bool plan_only, const char *name) {
  const DeviceParts parts = {.name = name, .asked = config, .memory = &memory, .plan_only = plan_only};

  return make_of(&parts);
}

/* What is only planned opens nothing, whatever it is asked for. */
static void test_plan(void) {
  const NetConfig tap = {.tap = (char *)"no-such-tap", .queues = 3, .mtu = 1400}, fd = {.fd = 9999},
                  path = {.unix_path = (char *)"/no/such"};
  VirtioDevice *device = make(&tap, true, "virtio-net0");

  g_assert_cmpuint(device->n_queues, ==, 7);
  g_assert_cmpuint(((VirtioNet *)device)->mtu, ==, 1400);
  virtio_device_free(device);
  virtio_device_free(make(&fd, true, "virtio-net0"));
  virtio_device_free(make(&path, true, "virtio-net0"));
}

static void test_failures(void) {
  static const struct {
    NetConfig config;
    const char *why;
  } cases[] = {
      {{.tap = (char *)"no-such-tap"}, "no-such-tap"},
      {{.fd = 9999}, "9999"},
      {{.unix_path = (char *)"/no/such/socket"}, "/no/such/socket"},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    DeviceParts parts = {.name = "virtio-net0", .asked = &cases[i].config, .memory = &memory};
    g_autoptr(GError) error = NULL;

    g_assert_null(virtio_net_kind.make_virtio(&parts, &error));
    g_assert_nonnull(strstr(error->message, cases[i].why));
  }
}

/* A card asks for what it was asked for, and what is wrong with that is its error. */
static UserNetwork *refuse_network(UserNetworks *networks, const UserNetworkWish *wish, GError **error) {
  g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "%s: no %s", wish->card, (const char *)wish->forwards->pdata[0]);
  return NULL;
}

static void test_user_failure(void) {
  const char *forwards[] = {"2222:22"};
  GPtrArray list = {.pdata = (gpointer *)forwards, .len = 1};
  const NetConfig config = {.user = true, .forwards = &list};
  UserNetworks networks = {.start = refuse_network};
  DeviceParts parts = {.name = "virtio-net0", .asked = &config, .memory = &memory, .user_networks = &networks};
  g_autoptr(GError) error = NULL;

  virtio_device_free(make(&config, true, "virtio-net0")); /* planned, it needs none */
  g_assert_null(virtio_net_kind.make_virtio(&parts, &error));
  g_assert_cmpstr(error->message, ==, "virtio-net0: no 2222:22");
}

static uint64_t mac_of(VirtioDevice *device) {
  uint64_t mac = 0;

  virtio_config_read(device, 0, &mac, NET_MAC_SIZE);
  virtio_device_free(device);
  return mac;
}

static void test_addresses(void) {
  g_autofree char *directory = g_dir_make_tmp("eret-test-XXXXXX", NULL);
  g_autofree char *path = g_build_filename(directory, "net.sock", NULL);
  const NetConfig tap = {.tap = (char *)"tap0"}, given = {.tap = (char *)"tap0", .mac = (char *)"02:00:00:12:34:56"},
                  at_socket = {.unix_path = path};
  uint64_t want = 0;

  g_assert_true(virtio_net_parse_mac(given.mac, (uint8_t *)&want));
  g_assert_cmphex(mac_of(make(&given, true, "virtio-net0")), ==, want);
  /* The same each time, and another for each card. */
  g_assert_cmphex(mac_of(make(&tap, true, "virtio-net0")), ==, mac_of(make(&tap, true, "virtio-net0")));
  g_assert_cmphex(mac_of(make(&tap, true, "virtio-net0")), !=, mac_of(make(&tap, true, "virtio-net1")));
  /* Two that meet have names alike, and addresses that are not. */
  VirtioDevice *first = make(&at_socket, false, "virtio-net0"), *second = make(&at_socket, false, "virtio-net0");
  g_assert_true(((VirtioNet *)second)->backend->link);
  uint64_t one = mac_of(first), other = mac_of(second);
  g_assert_cmphex(one, !=, other);
  g_unlink(path);
  g_assert_cmpint(g_rmdir(directory), ==, 0);
}

/* That of card INDEX of the machine NAME. */
static uint64_t mac_in(const char *name, unsigned index, const NetConfig *config, bool plan_only) {
  g_autofree char *card = g_strdup_printf("virtio-net%u", index);
  const DeviceParts parts = {.name = card, .index = index, .machine = name, .asked = config, .memory = &memory, .plan_only = plan_only};

  return mac_of(make_of(&parts));
}

/* A machine's name is what its addresses come from, and nothing else is: not what is behind its cards, nor chance. */
static void test_addresses_of_machine(void) {
  g_autofree char *directory = g_dir_make_tmp("eret-test-XXXXXX", NULL);
  g_autofree char *path = g_build_filename(directory, "net.sock", NULL);
  const NetConfig tap = {.tap = (char *)"tap0"}, user = {.user = true}, at_socket = {.unix_path = path},
                  given = {.tap = (char *)"tap0", .mac = (char *)"02:00:00:12:34:56"};
  uint64_t web = 0;

  virtio_net_derive_mac("web", 0, (uint8_t *)&web);
  g_assert_cmphex(mac_in("web", 0, &tap, true), ==, web);
  g_assert_cmphex(mac_in("web", 0, &user, true), ==, web);
  g_assert_cmphex(mac_in("web", 0, &at_socket, false), ==, web);
  g_assert_cmphex(mac_in("web", 0, &given, true), !=, web);
  g_assert_cmphex(mac_in("web", 1, &tap, true), !=, web);
  g_assert_cmphex(mac_in("db", 0, &tap, true), !=, web);
  g_unlink(path);
  g_assert_cmpint(g_rmdir(directory), ==, 0);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/net-kind/parse-mac", test_parse_mac);
  g_test_add_func("/net-kind/print", test_print);
  g_test_add_func("/net-kind/print-user", test_print_user);
  g_test_add_func("/net-kind/user-failure", test_user_failure);
  g_test_add_func("/net-kind/plan", test_plan);
  g_test_add_func("/net-kind/failures", test_failures);
  g_test_add_func("/net-kind/addresses", test_addresses);
  g_test_add_func("/net-kind/addresses-of-machine", test_addresses_of_machine);
  return g_test_run();
}
