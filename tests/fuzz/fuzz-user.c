/* SPDX-License-Identifier: Apache-2.0 */
/* Of the guest's init: who a command runs as, by a root's own files, and what servers of addresses answer. */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>

#include "guest-images/init/dhcp.h"
#include "guest-images/init/user.h"

static FILE *open_piece(FuzzInput *input, char **text) {
  size_t size;
  const uint8_t *bytes = fuzz_bytes(input, (size_t)fuzz_number(input, 2), &size);

  *text = fuzz_text(bytes, size);
  return size ? fmemopen(*text, size, "r") : NULL;
}

static void find_user(FuzzInput input) {
  g_autofree char *who = fuzz_line(&input), *passwd_text = NULL, *group_text = NULL;
  FILE *passwd = open_piece(&input, &passwd_text), *group = open_piece(&input, &group_text);
  char why[USER_WHY_MAX] = "";
  g_autofree User *user = g_new0(User, 1);

  if (user_find(who, passwd, group, user, why)) {
    g_assert_cmpuint(user->n_groups, <=, USER_GROUPS_MAX);
    g_assert_nonnull(memchr(user->home, 0, sizeof user->home));
  } else {
    g_assert_cmpuint(strnlen(why, sizeof why), <, sizeof why);
    g_assert_cmpuint(why[0], !=, 0);
  }
  if (passwd)
    fclose(passwd);
  if (group)
    fclose(group);
}

static void get_address(FuzzInput input) {
  static const uint8_t mac[DHCP_MAC_SIZE] = {2, 0, 0, 0, 0, 1};
  uint8_t packet[DHCP_PACKET_SIZE];
  DhcpClient client;

  dhcp_start(&client, mac, 0x12345678);
  for (unsigned i = 0; i < 3 && input.left; i++) {
    size_t size;
    const uint8_t *bytes = fuzz_bytes(&input, (size_t)fuzz_number(&input, 2), &size);
    g_autofree uint8_t *copy = fuzz_copy(bytes, size);
    dhcp_next(&client, 1000 * i, packet);
    dhcp_received(&client, copy, size);
  }
  g_assert_cmpuint(client.lease.n_routes, <=, DHCP_ROUTES_MAX);
  g_assert_cmpuint(client.lease.n_servers, <=, DHCP_SERVERS_MAX);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  find_user((FuzzInput){data, size});
  get_address((FuzzInput){data, size});
  return 0;
}
