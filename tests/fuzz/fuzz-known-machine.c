/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file in which a machine says what it is, and which any process of the same user can write: vmm/control/. What is
 * believed of it can be said again, and no process is taken for the machine's that is another.
 */
#include "tests/fuzz/fuzz.h"

#include <glib/gstdio.h>

#include "vmm/control/known-machine.h"

#define NAME        "m"
#define SHORT_PLACE "/tmp" /* sockets in there have short addresses; TMPDIR may be anything */

static void assert_same(const KnownMachine *a, const KnownMachine *b) {
  g_assert_cmpint(a->life, ==, b->life);
  g_assert_cmpint(a->pid, ==, b->pid);
  g_assert_cmpint(a->started, ==, b->started);
  g_assert_cmpuint(a->cpus, ==, b->cpus);
  g_assert_cmpuint(a->memory, ==, b->memory);
  g_assert_cmpint(a->status, ==, b->status);
  g_assert_cmpuint(a->sockets.cid, ==, b->sockets.cid);
  g_assert_cmpstr(a->sockets.path, ==, b->sockets.path);
  g_assert_cmpint(a->ssh, ==, b->ssh);
}

/* It is held: by this process. */
static void read_held(RuntimeDirectory *directory) {
  g_autoptr(GError) error = NULL;
  g_autoptr(KnownMachine) machine = known_machine_read(NAME, &error);

  g_assert_true(!machine == !!error);
  if (!machine) {
    g_assert_true(g_utf8_validate(error->message, -1, NULL));
    return;
  }
  g_assert_nonnull(machine_life_name(machine->life));
  g_assert_cmpint(known_machine_open_process(machine, &error), ==, -1); /* nobody listens at its console */
  g_clear_error(&error);
  if (machine->pid == 0) /* there is no such file */
    return;
  g_assert_cmpint(machine->pid, >, 0);
  g_assert_true(known_machine_publish(machine, directory, &error));
  g_autoptr(KnownMachine) again = known_machine_read(NAME, &error);
  g_assert_no_error(error);
  assert_same(machine, again);
}

/* Nobody holds it any more: it cannot live. */
static void read_left(void) {
  g_autoptr(GError) error = NULL;
  g_autoptr(KnownMachine) machine = known_machine_read(NAME, &error);

  g_assert_no_error(error);
  g_assert_false(known_machine_lives(machine));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char base[] = SHORT_PLACE "/XXXXXX";
  g_assert_nonnull(g_mkdtemp(base));
  g_autofree char *below = g_build_filename(base, "eret", NULL);
  g_autofree char *own = g_build_filename(below, NAME, NULL), *path = g_build_filename(own, MACHINE_FILE, NULL);
  g_autoptr(GError) error = NULL;
  bool is_left = size > 0 && data[0] & 1;

  g_setenv("XDG_RUNTIME_DIR", base, TRUE);
  RuntimeDirectory *directory = runtime_directory_claim(NAME, &error);
  g_assert_no_error(error);
  if (size > 0)
    g_assert_true(g_file_set_contents_full(path, (const char *)data + 1, (gssize)size - 1, G_FILE_SET_CONTENTS_NONE, 0600, NULL));
  read_held(directory);
  if (is_left) {
    runtime_directory_abandon(directory);
    read_left();
    g_assert_true(runtime_directory_clear(NAME, NULL));
  } else {
    runtime_directory_release(directory);
  }
  g_assert_cmpint(g_rmdir(base), ==, 0); /* nothing is left of it */
  return 0;
}
