/* SPDX-License-Identifier: Apache-2.0 */
/* What eret doctor says of shared directories: vmm/doctor/shares.c. */
#include <string.h>

#include "tests/unit/vmm/doctor/fake-host.h"
#include "vmm/doctor/verdict.h"

typedef struct {
  HostFacts *host;
  KvmFacts kvm;
  Doctor *doctor;
} Patient;

static Patient *examine(const HostProcess *process) {
  Patient *patient = g_new0(Patient, 1);

  patient->host = fake_read(fake_host("6.12.0"), process);
  patient->kvm = fake_kvm();
  patient->doctor = doctor_new(patient->host, &patient->kvm);
  return patient;
}

static void let_go(Patient *patient) {
  doctor_free(patient->doctor);
  host_facts_free(patient->host);
  g_free(patient);
}

/* Of the group `shares`; NULL: it is not known. */
static const char *shown(const Patient *patient, const char *key, bool meaning) {
  for (unsigned i = 0; i < patient->doctor->findings->len; i++) {
    const Finding *finding = g_ptr_array_index(patient->doctor->findings, i);
    if (strcmp(finding->group, "shares") == 0 && strcmp(finding->key, key) == 0)
      return meaning ? finding->meaning : finding->text;
  }
  return NULL;
}

static const char *advice(const Patient *patient, const char *key) {
  for (unsigned i = 0; i < patient->doctor->advice->len; i++) {
    const Advice *one = g_ptr_array_index(patient->doctor->advice, i);
    if (strcmp(one->key, key) == 0)
      return one->text;
  }
  return NULL;
}

static void test_new(void) {
  HostProcess process = fake_process();
  process.virtiofsd = (HostVirtiofsd){
      .asked = true, .there = true, .read_only = true, .file_handles = true, .subordinates = true, .version = (char *)"1.13.2"};
  Patient *user = examine(&process);

  g_assert_cmpstr(shown(user, "virtiofsd", false), ==, "1.13.2");
  g_assert_cmpstr(shown(user, "read_only_by", false), ==, "virtiofsd");
  g_assert_cmpstr(shown(user, "file_handles", false), ==, "no"); /* they are for root */
  g_assert_cmpstr(shown(user, "subordinate_ids", false), ==, "yes");
  g_assert_null(advice(user, "virtiofsd"));
  g_assert_null(advice(user, "subordinate_ids"));
  let_go(user);
  process.root = true;
  process.virtiofsd.subordinates = false;
  Patient *root = examine(&process);
  g_assert_cmpstr(shown(root, "file_handles", false), ==, "yes");
  g_assert_nonnull(strstr(shown(root, "subordinate_ids", true), "need none"));
  g_assert_null(advice(root, "subordinate_ids"));
  let_go(root);
}

static void test_alone(void) {
  HostProcess process = fake_process();
  process.virtiofsd = (HostVirtiofsd){.asked = true, .there = true, .read_only = true, .version = NULL};
  Patient *patient = examine(&process);

  g_assert_cmpstr(shown(patient, "virtiofsd", false), ==, "of no known version");
  g_assert_nonnull(strstr(advice(patient, "subordinate_ids"), "usermod --add-subuids"));
  let_go(patient);
}

static void test_old(void) {
  HostProcess process = fake_process();
  process.virtiofsd = (HostVirtiofsd){.asked = true, .there = true, .legacy = true, .version = (char *)"7.2.22"};
  Patient *patient = examine(&process);

  g_assert_cmpstr(shown(patient, "virtiofsd", false), ==, "7.2.22");
  g_assert_nonnull(strstr(shown(patient, "virtiofsd", true), "lacks some of it"));
  g_assert_cmpstr(shown(patient, "read_only_by", false), ==, "a mount");
  g_assert_nonnull(strstr(advice(patient, "virtiofsd"), "Debian 13"));
  let_go(patient);
}

static void test_missing(void) {
  HostProcess process = fake_process(), unasked = fake_process();
  process.virtiofsd = (HostVirtiofsd){.asked = true, .problem = (char *)"it is not installed"};
  Patient *patient = examine(&process), *other = examine(&unasked);

  g_assert_cmpstr(shown(patient, "virtiofsd", false), ==, "missing");
  g_assert_null(shown(patient, "read_only_by", false));
  g_assert_null(shown(patient, "file_handles", false));
  g_assert_cmpstr(advice(patient, "virtiofsd"), ==, "it is not installed.");
  g_assert_null(shown(other, "virtiofsd", false));
  let_go(patient);
  let_go(other);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/shares/new", test_new);
  g_test_add_func("/shares/alone", test_alone);
  g_test_add_func("/shares/old", test_old);
  g_test_add_func("/shares/missing", test_missing);
  return g_test_run();
}
