/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sched_setaffinity(2). The kind of a CPU is its MIDR_EL1: Linux, Documentation/ABI/testing/sysfs-devices-system-cpu.
 */
#define _GNU_SOURCE
#include "vmm/cpu/pin.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

#include "vmm/base/whole-file.h"

G_DEFINE_QUARK(eret_pin_error, pin_error)

#define CPUS_MAX CPU_SETSIZE

void pin_free(Pin *pin) {
  if (!pin)
    return;
  g_array_unref(pin->cpus);
  g_free(pin);
}

static Pin *new_pin(void) {
  Pin *pin = g_new0(Pin, 1);

  pin->cpus = g_array_new(FALSE, FALSE, sizeof(unsigned));
  return pin;
}

static bool mistake_in(const char *part, GError **error) {
  g_set_error(error, PIN_ERROR, PIN_ERROR_HOST, "'%s' is neither a CPU nor a range of them, such as 0-3; or say auto", part);
  return false;
}

/* "0-3,8" */
static bool parse_list(Pin *pin, const char *text, GError **error) {
  g_auto(GStrv) parts = g_strsplit(text, ",", -1);

  for (unsigned i = 0; parts[i]; i++) {
    g_auto(GStrv) ends = g_strsplit(parts[i], "-", 2);
    guint64 first, last;
    if (!ends[0] || !g_ascii_string_to_unsigned(ends[0], 10, 0, CPUS_MAX - 1, &first, NULL))
      return mistake_in(parts[i], error);
    last = first;
    if (ends[1] && !g_ascii_string_to_unsigned(ends[1], 10, first, CPUS_MAX - 1, &last, NULL))
      return mistake_in(parts[i], error);
    for (guint64 cpu = first; cpu <= last; cpu++) {
      unsigned number = (unsigned)cpu;
      g_array_append_val(pin->cpus, number);
    }
  }
  if (pin->cpus->len == 0)
    return mistake_in("", error);
  return true;
}

/* 0: not known. */
static guint64 midr_of(const char *root, unsigned cpu) {
  g_autofree char *path = g_strdup_printf("%s/sys/devices/system/cpu/cpu%u/regs/identification/midr_el1", root, cpu);
  g_autofree char *text = whole_file_read(path, 1 << 20, "number", NULL, NULL);

  return text ? g_ascii_strtoull(text, NULL, 16) : 0;
}

static unsigned count_kind(const cpu_set_t *allowed, const guint64 *kinds, guint64 kind) {
  unsigned n = 0;

  for (unsigned cpu = 0; cpu < CPUS_MAX; cpu++)
    n += CPU_ISSET(cpu, allowed) && kinds[cpu] == kind;
  return n;
}

/* Of two groups of one size the later one: on most boards the big cores. */
static void choose_group(Pin *pin, const cpu_set_t *allowed, const char *root) {
  g_autofree guint64 *kinds = g_new0(guint64, CPUS_MAX);
  unsigned best = 0, chosen = 0;

  for (unsigned cpu = 0; cpu < CPUS_MAX; cpu++)
    if (CPU_ISSET(cpu, allowed))
      kinds[cpu] = midr_of(root, cpu);
  for (unsigned cpu = 0; cpu < CPUS_MAX; cpu++) {
    unsigned n = CPU_ISSET(cpu, allowed) ? count_kind(allowed, kinds, kinds[cpu]) : 0;
    if (n && n >= best) {
      best = n;
      chosen = cpu;
    }
  }
  for (unsigned cpu = 0; cpu < CPUS_MAX; cpu++)
    if (CPU_ISSET(cpu, allowed) && kinds[cpu] == kinds[chosen])
      g_array_append_val(pin->cpus, cpu);
}

bool pin_is_valid(const char *text, GError **error) {
  g_autoptr(Pin) pin = new_pin();

  return strcmp(text, "auto") == 0 || parse_list(pin, text, error);
}

static bool check_allowed(const Pin *pin, const char *text, const cpu_set_t *allowed, GError **error) {
  for (unsigned i = 0; i < pin->cpus->len; i++) {
    unsigned cpu = g_array_index(pin->cpus, unsigned, i);
    if (CPU_ISSET(cpu, allowed))
      continue;
    g_set_error(error, PIN_ERROR, PIN_ERROR_HOST,
                "--pin %s: this process may not run on CPU %u; see `taskset -cp $$` and the cgroup's cpuset", text, cpu);
    return false;
  }
  return true;
}

Pin *pin_new(const char *text, const char *root, GError **error) {
  g_autoptr(Pin) pin = new_pin();
  cpu_set_t allowed;

  if (sched_getaffinity(0, sizeof allowed, &allowed) < 0) {
    g_set_error(error, PIN_ERROR, PIN_ERROR_HOST, "--pin: cannot see which CPUs this process may use: %s", g_strerror(errno));
    return NULL;
  }
  pin->one_to_one = strcmp(text, "auto") != 0;
  if (!pin->one_to_one)
    choose_group(pin, &allowed, root);
  else if (!parse_list(pin, text, error) || !check_allowed(pin, text, &allowed, error))
    return NULL;
  return g_steal_pointer(&pin);
}

bool pin_thread(const Pin *pin, int vcpu, GError **error) {
  cpu_set_t set;

  CPU_ZERO(&set);
  for (unsigned i = 0; i < pin->cpus->len; i++)
    if (vcpu < 0 || !pin->one_to_one || i == (unsigned)vcpu % pin->cpus->len)
      CPU_SET(g_array_index(pin->cpus, unsigned, i), &set);
  if (sched_setaffinity(0, sizeof set, &set) == 0)
    return true;
  g_set_error(error, PIN_ERROR, PIN_ERROR_HOST, "--pin: cannot keep a thread on its CPUs: %s", g_strerror(errno));
  return false;
}
