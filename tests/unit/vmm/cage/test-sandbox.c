/* SPDX-License-Identifier: Apache-2.0 */
/* Threads with filters of this host's kernel, each in a process of its own. */
#include "vmm/cage/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What a thread in the sandbox does. */
typedef struct {
  Sandbox *sandbox;
  CageThread kind;
  void (*act)(void);
} Thread;

static gpointer enter_and_act(gpointer data) {
  const Thread *thread = data;

  sandbox_enter(thread->sandbox, thread->kind);
  thread->act();
  return NULL;
}

static void act_in(SandboxMode mode, CageThread kind, const char *name, void (*act)(void)) {
  g_autoptr(GError) error = NULL;
  Thread thread = {.sandbox = sandbox_new(mode, 0, &error), .kind = kind, .act = act};

  g_assert_no_error(error);
  g_thread_join(g_thread_new(name, enter_and_act, &thread));
  sandbox_free(thread.sandbox);
}

static bool cannot_be_tried(void) {
  const char *why;

  if (sandbox_has_filters(&why))
    return false;
  g_test_skip(why);
  return true;
}

static void open_file(void) {
  int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);

  g_assert_cmpint(fd, >=, 0);
  close(fd);
}

/* What threads do that have something to say: GLib looks up what character set that is in. */
static void be_good(void) {
  /* As malloc does, when it gives some back. */
  g_assert_cmpint(open("/proc/sys/vm/overcommit_memory", O_RDONLY | O_CLOEXEC), ==, -1);
  g_assert_cmpint(errno, ==, EACCES);
  g_autofree char *memory = g_malloc(1 << 20);

  memset(memory, 1, 1 << 20);
  g_usleep(1); /* a vCPU too: before the reader of a hypercall's text is asked again */
  g_assert_cmpstr(g_strerror(ENOSPC), ==, "No space left on device");
  g_assert_cmpstr(g_strerror(EXDEV), ==, "Invalid cross-device link");
}

static void in_process(void (*function)(void)) {
  function();
  exit(0);
}

static void act_on(void) {
  act_in(SANDBOX_ON, CAGE_VCPU, "vcpu3", open_file);
}

static void test_on(void) {
  if (g_test_subprocess())
    in_process(act_on);
  if (cannot_be_tried())
    return;
  g_test_trap_subprocess(NULL, 0, 0);
  g_assert_false(g_test_trap_has_passed());
  g_test_trap_assert_stderr("eret: sandbox: thread vcpu3 asked for openat(0x*, which nothing of its kind may do: the machine is ended.*\n");
}

static void act_logged(void) {
  act_in(SANDBOX_LOG, CAGE_DEVICE, "disk0", open_file);
  act_in(SANDBOX_LOG, CAGE_DEVICE, "disk0", open_file);
}

/* What is missing is carried out, and each call is said once a machine. */
static void test_log(void) {
  if (g_test_subprocess())
    in_process(act_logged);
  if (cannot_be_tried())
    return;
  g_test_trap_subprocess(NULL, 0, 0);
  g_test_trap_assert_passed();
  g_test_trap_assert_stderr(
      "*eret: sandbox: thread disk0 asked for openat(0x*; a rule: CALL(openat, CAGE_DEVICE, CAGE_ANY, 0, 0, \"\")\n*");
}

static void act_well(void) {
  for (unsigned i = 0; i < 2; i++) {
    act_in(SANDBOX_REQUIRE, CAGE_VCPU, "vcpu0", be_good);
    act_in(SANDBOX_REQUIRE, CAGE_DEVICE, "disk0", be_good);
  }
  act_in(SANDBOX_OFF, CAGE_VCPU, "vcpu0", open_file);
}

static void test_allowed(void) {
  if (g_test_subprocess())
    in_process(act_well);
  if (cannot_be_tried())
    return;
  g_test_trap_subprocess(NULL, 0, 0);
  g_test_trap_assert_passed();
  g_test_trap_assert_stderr("");
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/sandbox/on", test_on);
  g_test_add_func("/sandbox/log", test_log);
  g_test_add_func("/sandbox/allowed", test_allowed);
  return g_test_run();
}
