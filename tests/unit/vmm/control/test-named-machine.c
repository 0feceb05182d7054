/* SPDX-License-Identifier: Apache-2.0 */
/* A machine's name, from the process that has it: what it says of the guest's sockets and of ssh, and what is left. */
#include "vmm/control/named-machine.h"

#include <string.h>

#include "tests/unit/directory.h"
#include "vmm/control/ssh-config.h"

#define NAME "vm"

typedef struct {
  char *root;
  NamedMachine *named;
} Fixture;

/* DATA: the last part of the directory that all machines are below. */
static void set_up(Fixture *fixture, gconstpointer data) {
  g_autoptr(GError) error = NULL;
  g_autofree char *runtime = NULL;

  fixture->root = directory_new();
  runtime = g_build_filename(fixture->root, data, NULL);
  g_assert_cmpint(g_mkdir(runtime, 0700), ==, 0);
  g_setenv("XDG_RUNTIME_DIR", runtime, TRUE);
  fixture->named = named_machine_claim(NAME, 2, 1 << 20, &error);
  g_assert_no_error(error);
}

static void tear_down(Fixture *fixture, gconstpointer data) {
  named_machine_end(fixture->named, 0, false);
  g_autoptr(GPtrArray) names = runtime_directory_names(NULL);
  g_assert_cmpuint(names->len, ==, 0);
  directory_free(fixture->root);
  g_free(fixture->root);
}

static KnownMachine *look(void) {
  g_autoptr(GError) error = NULL;
  KnownMachine *machine = known_machine_read(NAME, &error);

  g_assert_no_error(error);
  return machine;
}

static char *read_ssh_config(void) {
  g_autofree char *base = runtime_directory_base(NULL), *path = g_build_filename(base, NAME, SSH_CONFIG_FILE, NULL);
  char *text = NULL;

  g_file_get_contents(path, &text, NULL, NULL);
  return text;
}

static void test_sockets(Fixture *fixture, gconstpointer data) {
  g_autofree char *here = g_canonicalize_filename("vsock", NULL);

  g_autoptr(KnownMachine) none = look();
  g_assert_cmpuint(none->sockets.cid, ==, 0);
  named_machine_set_sockets(fixture->named, 7, NULL);
  named_machine_set_life(fixture->named, MACHINE_RUNNING);
  g_autoptr(KnownMachine) kernels = look();
  g_assert_cmpuint(kernels->sockets.cid, ==, 7);
  g_assert_null(kernels->sockets.path);
  named_machine_set_sockets(fixture->named, 3, "./vsock");
  named_machine_set_life(fixture->named, MACHINE_PAUSED);
  g_autoptr(KnownMachine) local = look();
  g_assert_cmpstr(local->sockets.path, ==, here);
}

static void test_ssh(Fixture *fixture, gconstpointer data) {
  g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
  g_autoptr(GError) error = NULL;

  g_assert_true(named_machine_offer_ssh(fixture->named, NULL, &error));
  g_autofree char *bare = read_ssh_config();
  g_assert_nonnull(strstr(bare, self)); /* what connects is this program */
  g_assert_null(strstr(bare, "IdentityFile"));
  g_assert_false(named_machine_has_key(fixture->named));
  g_assert_true(named_machine_offer_ssh(fixture->named, "/home/me/id", &error));
  g_autofree char *text = read_ssh_config();
  g_assert_nonnull(strstr(text, "Host vm.eret\n"));
  g_assert_nonnull(strstr(text, "IdentityFile \"/home/me/id\"\n"));
  g_assert_true(named_machine_has_key(fixture->named));
  named_machine_set_life(fixture->named, MACHINE_RUNNING);
  g_autoptr(KnownMachine) machine = look();
  g_assert_true(machine->ssh);
}

/* Of a directory with a name that ssh would read otherwise, nothing is written. */
static void test_odd_directory(Fixture *fixture, gconstpointer data) {
  g_autoptr(GError) error = NULL;

  g_assert_false(named_machine_offer_ssh(fixture->named, "/home/me/id", &error));
  g_assert_error(error, RUNTIME_ERROR, RUNTIME_ERROR_HOST);
  g_assert_null(read_ssh_config());
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add("/named-machine/sockets", Fixture, "run", set_up, test_sockets, tear_down);
  g_test_add("/named-machine/ssh", Fixture, "a place", set_up, test_ssh, tear_down);
  g_test_add("/named-machine/odd-directory", Fixture, "r\"n", set_up, test_odd_directory, tear_down);
  return g_test_run();
}
