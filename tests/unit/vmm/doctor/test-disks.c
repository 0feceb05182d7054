/* SPDX-License-Identifier: Apache-2.0 */
/* Disks for guests that are not raw files: which version serves them, or how to have one. */
#include "tests/unit/vmm/doctor/fake-host.h"

static const char *shown(const Doctor *doctor) {
  for (unsigned i = 0; i < doctor->findings->len; i++) {
    const Finding *finding = g_ptr_array_index(doctor->findings, i);
    if (strcmp(finding->group, "disks") == 0 && strcmp(finding->key, "storage_daemon") == 0)
      return finding->text;
  }
  g_error("there is no such line");
}

static const char *advice(const Doctor *doctor) {
  for (unsigned i = 0; i < doctor->advice->len; i++) {
    const Advice *advice = g_ptr_array_index(doctor->advice, i);
    if (strcmp(advice->key, "qemu-storage-daemon") == 0)
      return advice->text;
  }
  return NULL;
}

static void test_disks(void) {
  static const struct {
    const char *version, *problem, *shown, *advice;
  } cases[] = {
      {"10.0.13", NULL, "10.0.13", NULL},
      {NULL, "it is not installed", "missing", "it is not installed."},
      {NULL, NULL, NULL, NULL},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    HostProcess process = fake_process();
    process.storage_daemon = (char *)cases[i].version;
    process.storage_daemon_problem = (char *)cases[i].problem;
    HostFacts *host = fake_read(fake_host("6.12.0"), &process);
    KvmFacts kvm = fake_kvm();
    Doctor *doctor = doctor_new(host, &kvm);
    g_assert_cmpstr(shown(doctor), ==, cases[i].shown);
    g_assert_cmpstr(advice(doctor), ==, cases[i].advice);
    doctor_free(doctor);
    host_facts_free(host);
  }
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/doctor-disks/storage-daemon", test_disks);
  return g_test_run();
}
