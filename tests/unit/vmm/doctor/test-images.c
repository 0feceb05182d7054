/* SPDX-License-Identifier: Apache-2.0 */
/* Container images: which programs read and unpack them, or how to have these. */
#include "tests/unit/vmm/doctor/fake-host.h"

static const char *shown(const Doctor *doctor, const char *key) {
  for (unsigned i = 0; i < doctor->findings->len; i++) {
    const Finding *finding = g_ptr_array_index(doctor->findings, i);
    if (strcmp(finding->group, "images") == 0 && strcmp(finding->key, key) == 0)
      return finding->text;
  }
  g_error("there is no such line");
}

static const char *advice(const Doctor *doctor) {
  for (unsigned i = 0; i < doctor->advice->len; i++) {
    const Advice *advice = g_ptr_array_index(doctor->advice, i);
    if (strcmp(advice->key, "images") == 0)
      return advice->text;
  }
  return NULL;
}

static void test_images(void) {
  static const struct {
    HostImages images;
    const char *skopeo, *umoci, *advice;
  } cases[] = {
      {{true, (char *)"1.18.0", (char *)"0.4.7", NULL}, "1.18.0", "0.4.7", NULL},
      {{true, (char *)"1.18.0", NULL, (char *)"there is no umoci"}, "1.18.0", "missing", "there is no umoci."},
      {{false, NULL, NULL, NULL}, NULL, NULL, NULL},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    HostProcess process = fake_process();
    process.images = cases[i].images;
    HostFacts *host = fake_read(fake_host("6.12.0"), &process);
    KvmFacts kvm = fake_kvm();
    Doctor *doctor = doctor_new(host, &kvm);
    g_assert_cmpstr(shown(doctor, "skopeo"), ==, cases[i].skopeo);
    g_assert_cmpstr(shown(doctor, "umoci"), ==, cases[i].umoci);
    g_assert_cmpstr(advice(doctor), ==, cases[i].advice);
    doctor_free(doctor);
    host_facts_free(host);
  }
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/doctor-images/tools", test_images);
  return g_test_run();
}
