/* SPDX-License-Identifier: Apache-2.0 */
/* Networks for guests: what is told of each kind, and that what is missing has its cure. */
#include <glib/gstdio.h>
#include <locale.h>
#include <sys/stat.h>

#include "tests/unit/vmm/doctor/fake-host.h"

typedef struct {
  HostFacts *host;
  KvmFacts kvm;
  Doctor *doctor;
} Patient;

static Patient examine(char *root_taken, const HostProcess *process) {
  Patient patient = {.host = fake_read(root_taken, process), .kvm = fake_kvm()};
  return patient;
}

/* Once the facts are as they are to be; those of nodes and drivers a test sets itself, as root may open everything. */
static void judge(Patient *patient) {
  patient->doctor = doctor_new(patient->host, &patient->kvm);
}

static void let_go(Patient *patient) {
  doctor_free(patient->doctor);
  host_facts_free(patient->host);
}

static const char *shown(const Patient *patient, const char *key) {
  for (unsigned i = 0; i < patient->doctor->findings->len; i++) {
    const Finding *finding = g_ptr_array_index(patient->doctor->findings, i);
    if (strcmp(finding->group, "network") == 0 && strcmp(finding->key, key) == 0)
      return finding->text;
  }
  g_error("there is no %s", key);
}

static void assert_advice(const Patient *patient, const char *key, const char *pattern) {
  const char *text = NULL;

  for (unsigned i = 0; i < patient->doctor->advice->len; i++) {
    const Advice *advice = g_ptr_array_index(patient->doctor->advice, i);
    if (strcmp(advice->key, key) == 0)
      text = advice->text;
  }
  if (!pattern) {
    g_assert_cmpstr(text, ==, NULL);
    return;
  }
  if (!text || !g_regex_match_simple(pattern, text, 0, 0))
    g_error("the advice on %s, '%s', is not like '%s'", key, text ? text : "none", pattern);
  g_assert_true(g_str_has_suffix(text, ".") || g_str_has_suffix(text, ")."));
}

/* A host where everything is there, and one's own. */
static void test_all(void) {
  HostProcess process = fake_process();
  process.passt = HOST_PASST_VHOST_USER;
  char *root = fake_host("6.12.0");
  directory_write(root, "dev/net/tun", "");
  directory_write(root, "dev/vhost-net", "");
  directory_write(root, "dev/vhost-vsock", "");
  directory_write(root, "dev/tap7", "");
  directory_write(root, "etc/group", "kvm:x:106:ann\n");
  directory_write(root, "sys/class/net/macvtap0/macvtap/tap7/dev", "");
  directory_write(root, "sys/class/net/macvtap0/ifindex", "7\n");
  directory_write(root, "sys/class/net/tap0/tun_flags", "0x1002\n");
  directory_write(root, "sys/class/net/tap0/owner", "1000\n");
  directory_write(root, "sys/class/net/tap1/tun_flags", "0x1002\n");
  directory_write(root, "sys/class/net/tap1/owner", "1000\n");
  Patient patient = examine(root, &process);
  judge(&patient);

  static const struct {
    const char *key, *text;
  } wanted[] = {{"tap", "usable"},     {"taps", "tap0, tap1"},   {"vhost_net", "usable"}, {"vhost_vsock", "usable"},
                {"macvtap", "usable"}, {"macvtaps", "macvtap0"}, {"passt", "vhost-user"}, {"kvm_group", "yes"}};
  for (unsigned i = 0; i < G_N_ELEMENTS(wanted); i++)
    g_assert_cmpstr(shown(&patient, wanted[i].key), ==, wanted[i].text);
  static const char *const keys[] = {"tap", "vhost-net", "vhost-vsock", "macvtap", "passt"};
  for (unsigned i = 0; i < G_N_ELEMENTS(keys); i++)
    assert_advice(&patient, keys[i], NULL);
  let_go(&patient);
}

static void test_missing(void) {
  HostProcess process = fake_process();
  process.passt = HOST_PASST_NONE;
  process.passt_problem = (char *)"passt is not installed";
  Patient patient = examine(fake_host("6.12.0"), &process);
  HostNetwork *network = &patient.host->network;
  network->vhost_net.driver = HOST_DRIVER_LOADABLE;
  network->vhost_vsock.driver = HOST_DRIVER_MISSING;
  network->tun.driver = HOST_DRIVER_LOADED;
  network->macvtap = HOST_DRIVER_MISSING;
  judge(&patient);

  g_assert_cmpstr(shown(&patient, "tap"), ==, "missing");
  g_assert_cmpstr(shown(&patient, "taps"), ==, NULL);
  g_assert_cmpstr(shown(&patient, "vhost_net"), ==, "missing");
  g_assert_cmpstr(shown(&patient, "passt"), ==, "missing");
  g_assert_cmpstr(shown(&patient, "kvm_group"), ==, "no");
  assert_advice(&patient, "tap", "module tun is loaded, but there is no /dev/net/tun");
  assert_advice(&patient, "vhost-net", "sudo modprobe vhost_net ");
  assert_advice(&patient, "vhost-vsock", "CONFIG_VHOST_VSOCK");
  assert_advice(&patient, "macvtap", "CONFIG_MACVTAP");
  assert_advice(&patient, "passt", "^passt is not installed\\.$");
  let_go(&patient);
}

static void test_container(void) {
  HostProcess process = fake_process();
  process.passt = HOST_PASST_STREAM;
  char *root = fake_host("6.12.0");
  directory_write(root, "run/.containerenv", "");
  Patient patient = examine(root, &process);
  judge(&patient);

  g_assert_cmpstr(shown(&patient, "macvtap"), ==, NULL); /* the kernel's modules are not to be seen */
  g_assert_cmpstr(shown(&patient, "passt"), ==, "stream");
  assert_advice(&patient, "tap", "--device /dev/net/tun");
  assert_advice(&patient, "vhost-net", "--device /dev/vhost-net.*vhost_net");
  assert_advice(&patient, "passt", "vhost-user");
  let_go(&patient);
}

/* The node is there, and not for this user. */
static void test_refused(void) {
  static const struct {
    const char *group;
    unsigned mode;
    bool member, root;
    HostDriver driver;
    const char *cure;
  } cases[] = {
      {"kvm", 0660, false, false, HOST_DRIVER_LOADED, "sudo usermod -aG kvm ann"},
      {"kvm", 0660, true, false, HOST_DRIVER_LOADED, "ann is in the group kvm.*newgrp kvm"},
      {"root", 0600, false, false, HOST_DRIVER_LOADABLE, "sudo modprobe vhost_net; .*group kvm"},
      {"root", 0660, false, false, HOST_DRIVER_LOADED, "sudo chgrp kvm /dev/vhost-net && sudo chmod 660"},
      {"kvm", 0660, false, true, HOST_DRIVER_LOADED, "security module"},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    HostProcess process = fake_process();
    process.root = cases[i].root;
    char *root = fake_host("6.12.0");
    directory_write(root, "dev/vhost-net", "");
    Patient patient = examine(root, &process);
    HostNode *node = &patient.host->network.vhost_net;
    g_free(node->group);
    *node = (HostNode){
        .there = true, .mode = cases[i].mode, .group = g_strdup(cases[i].group), .member = cases[i].member, .driver = cases[i].driver};
    judge(&patient);
    g_assert_cmpstr(shown(&patient, "vhost_net"), ==, "unusable");
    assert_advice(&patient, "vhost-net", cases[i].cure);
    let_go(&patient);
  }
}

/* Anybody may open /dev/net/tun, but not make a tap. */
static void test_no_tap(void) {
  HostProcess process = fake_process();
  char *root = fake_host("6.12.0");
  directory_write(root, "dev/net/tun", "");
  Patient patient = examine(root, &process);
  judge(&patient);

  g_assert_cmpstr(shown(&patient, "tap"), ==, "unusable");
  assert_advice(&patient, "tap", "sudo ip tuntap add tap0 mode tap user ann");
  assert_advice(&patient, "macvtap", "type macvtap");
  let_go(&patient);
}

int main(int argc, char **argv) {
  setlocale(LC_ALL, "C");
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/doctor/network/all", test_all);
  g_test_add_func("/doctor/network/missing", test_missing);
  g_test_add_func("/doctor/network/container", test_container);
  g_test_add_func("/doctor/network/refused", test_refused);
  g_test_add_func("/doctor/network/no-tap", test_no_tap);
  return g_test_run();
}
