/* SPDX-License-Identifier: Apache-2.0 */
/* What ssh is told of a machine: as a text, and as ssh itself reads it, where there is one. */
#include "vmm/control/ssh-config.h"

#include <string.h>

#include "tests/unit/directory.h"
#include "vmm/control/runtime-directory.h"

static char *print(const char *directory, const char *program, const char *identity) {
  const SshConfig config = {.name = "web-1", .directory = directory, .program = program, .identity = identity};
  g_autoptr(GError) error = NULL;
  char *text = ssh_config_print(&config, &error);

  g_assert_no_error(error);
  return text;
}

static void test_text(void) {
  g_autofree char *text = print("/run/user/7/eret/web-1", "/usr/bin/eret", "/home/me/.ssh/id"), *other = print("/d", "/p", NULL);

  g_assert_cmpstr(text, ==,
                  "# The machine's, made by eret, gone with it: ssh -F this file HOST\n"
                  "Host web-1.eret\n"
                  "  HostKeyAlias web-1.eret\n"
                  "  User root\n"
                  "  ProxyCommand '/usr/bin/eret' ssh --proxy web-1\n"
                  "  ProxyUseFdpass yes\n"
                  "  UserKnownHostsFile \"/run/user/7/eret/web-1/known_hosts\"\n"
                  "  GlobalKnownHostsFile /dev/null\n"
                  "  StrictHostKeyChecking accept-new\n"
                  "  CheckHostIP no\n"
                  "  LogLevel ERROR\n"
                  "  IdentityFile \"/home/me/.ssh/id\"\n"
                  "  IdentitiesOnly yes\n");
  g_assert_null(strstr(other, "Identit"));
}

static void test_proxy(void) {
  g_autofree char *plain = ssh_config_proxy("/bin/eret", "a", -1), *odd = ssh_config_proxy("/my prog's/100%/eret", "a", 0);

  g_assert_cmpstr(plain, ==, "'/bin/eret' ssh --proxy a");
  g_assert_cmpstr(odd, ==, "'/my prog'\\''s/100%%/eret' ssh --proxy --wait 0 a");
}

static void assert_refused(const char *directory, const char *program, const char *identity) {
  const SshConfig config = {.name = "a", .directory = directory, .program = program, .identity = identity};
  g_autoptr(GError) error = NULL;

  g_assert_null(ssh_config_print(&config, &error));
  g_assert_error(error, RUNTIME_ERROR, RUNTIME_ERROR_HOST);
}

static void test_refused(void) {
  static const char *const unfit[] = {"/a\"b", "/a\\b", "/a${HOME}", "/a\nProxyCommand x", "/a\033"};

  for (unsigned i = 0; i < G_N_ELEMENTS(unfit); i++) {
    assert_refused(unfit[i], "/p", NULL);
    assert_refused("/d", "/p", unfit[i]);
  }
  assert_refused("/d", "/p\n", NULL);
}

/* ssh -G says what it has understood; what is odd about a path has to come out as it went in. */
static void test_ssh(void) {
  g_autofree char *ssh = g_find_program_in_path("ssh"), *directory = directory_new(), *out = NULL, *errors = NULL;
  g_autofree char *odd = g_build_filename(directory, "a b #~'%d", NULL), *file = g_build_filename(directory, "config", NULL);
  g_autofree char *text = print(odd, "/my prog's/100%/eret", odd);
  const char *const argv[] = {ssh, "-G", "-F", file, "web-1.eret", NULL};
  g_autoptr(GError) error = NULL;
  int status;

  if (!ssh) {
    g_test_skip("there is no ssh");
  } else {
    directory_write(directory, "config", text);
    g_assert_true(g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, &out, &errors, &status, &error));
    g_assert_no_error(error);
    g_assert_cmpstr(errors, ==, "");
    g_assert_cmpint(status, ==, 0);
    static const char *const wanted[] = {"user root\n",
                                         "proxyusefdpass yes\n",
                                         "stricthostkeychecking accept-new\n",
                                         "forwardagent no\n",
                                         "proxycommand '/my prog'\\''s/100%%/eret' ssh --proxy web-1\n",
                                         "identitiesonly yes\n",
                                         "hostkeyalias web-1.eret\n"};
    for (unsigned i = 0; i < G_N_ELEMENTS(wanted); i++)
      g_assert_nonnull(strstr(out, wanted[i]));
    g_assert_nonnull(strstr(out, "/a b #~'%d/known_hosts\n")); /* which is expanded here, and the other is not yet */
    g_assert_nonnull(strstr(out, "/a b #~'%%d\n"));
  }
  directory_free(directory);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/ssh-config/text", test_text);
  g_test_add_func("/ssh-config/proxy", test_proxy);
  g_test_add_func("/ssh-config/refused", test_refused);
  g_test_add_func("/ssh-config/ssh", test_ssh);
  return g_test_run();
}
