/* SPDX-License-Identifier: Apache-2.0 */
/* Which CPUs a machine runs on: vmm/cpu/pin.c, over files of the test's. */
#define _GNU_SOURCE
#include "vmm/cpu/pin.h"

#include <locale.h>
#include <sched.h>

#include "tests/unit/directory.h"

static void assert_cpus(const Pin *pin, const char *wanted) {
  GString *text = g_string_new(NULL);

  for (unsigned i = 0; i < pin->cpus->len; i++)
    g_string_append_printf(text, "%s%u", i ? "," : "", g_array_index(pin->cpus, unsigned, i));
  g_assert_cmpstr(text->str, ==, wanted);
  g_string_free(text, TRUE);
}

static void test_syntax(void) {
  static const char *const good[] = {"auto", "0", "0-3", "0-3,8", "5,4,3"}, *const bad[] = {"",    "a",    "1-",      "-1",
                                                                                            "3-1", "0,,1", "0-99999", "0 1"};

  for (unsigned i = 0; i < G_N_ELEMENTS(good); i++)
    g_assert_true(pin_is_valid(good[i], NULL));
  for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
    g_autoptr(GError) error = NULL;
    g_assert_false(pin_is_valid(bad[i], &error));
    g_assert_nonnull(strstr(error->message, "is neither a CPU nor a range"));
  }
}

static unsigned first_allowed(void) {
  cpu_set_t set;
  unsigned cpu = 0;

  g_assert_cmpint(sched_getaffinity(0, sizeof set, &set), ==, 0);
  while (!CPU_ISSET(cpu, &set))
    cpu++;
  return cpu;
}

static void test_list(void) {
  g_autofree char *text = g_strdup_printf("%u", first_allowed());
  g_autoptr(GError) error = NULL;
  g_autoptr(Pin) pin = pin_new(text, "", &error);

  g_assert_no_error(error);
  g_assert_true(pin->one_to_one);
  assert_cpus(pin, text);
  g_assert_null(pin_new("1023", "", &error));
  g_assert_nonnull(strstr(error->message, "may not run on CPU 1023"));
}

/* Of what this process may use, the largest group of one kind. */
static void test_auto(void) {
  g_autofree char *root = directory_new();
  cpu_set_t allowed;

  g_assert_cmpint(sched_getaffinity(0, sizeof allowed, &allowed), ==, 0);
  if (CPU_COUNT(&allowed) < 2 || !CPU_ISSET(0, &allowed) || !CPU_ISSET(1, &allowed)) {
    g_test_skip("wants CPUs 0 and 1");
    directory_free(root);
    return;
  }
  cpu_set_t two;
  CPU_ZERO(&two);
  CPU_SET(0, &two);
  CPU_SET(1, &two);
  g_assert_cmpint(sched_setaffinity(0, sizeof two, &two), ==, 0);
  directory_write(root, "sys/devices/system/cpu/cpu0/regs/identification/midr_el1", "0x00000000410fd034\n");
  directory_write(root, "sys/devices/system/cpu/cpu1/regs/identification/midr_el1", "0x00000000410fd082\n");
  g_autoptr(Pin) mixed = pin_new("auto", root, NULL);
  assert_cpus(mixed, "1");
  g_assert_false(mixed->one_to_one);
  directory_write(root, "sys/devices/system/cpu/cpu0/regs/identification/midr_el1", "0x00000000410fd082\n");
  g_autoptr(Pin) same = pin_new("auto", root, NULL);
  assert_cpus(same, "0,1");
  g_assert_cmpint(sched_setaffinity(0, sizeof allowed, &allowed), ==, 0);
  directory_free(root);
}

static gpointer pinned(gpointer data) {
  const Pin *pin = data;
  cpu_set_t set;

  g_assert_true(pin_thread(pin, 3, NULL));
  g_assert_cmpint(sched_getaffinity(0, sizeof set, &set), ==, 0);
  g_assert_cmpint(CPU_COUNT(&set), ==, 1);
  g_assert_true(CPU_ISSET(first_allowed(), &set));
  return NULL;
}

static void test_thread(void) {
  g_autofree char *text = g_strdup_printf("%u", first_allowed());
  g_autoptr(Pin) pin = pin_new(text, "", NULL);

  g_thread_join(g_thread_new("pinned", pinned, pin));
}

int main(int argc, char *argv[]) {
  setlocale(LC_ALL, "C.UTF-8");
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/pin/syntax", test_syntax);
  g_test_add_func("/pin/list", test_list);
  g_test_add_func("/pin/auto", test_auto);
  g_test_add_func("/pin/thread", test_thread);
  return g_test_run();
}
