/* SPDX-License-Identifier: Apache-2.0 */
/* Both reports: form, and that every key of the JSON is documented. Runs in the root of the source tree. */
#include <errno.h>
#include <json-glib/json-glib.h>
#include <locale.h>

#include "tests/unit/vmm/doctor/fake-host.h"
#include "vmm/cmd/command.h"

static JsonNode *report(const HostFacts *host, const KvmFacts *kvm) {
  g_autoptr(Doctor) doctor = doctor_new(host, kvm);
  g_autoptr(GString) text = g_string_new(NULL);
  g_autoptr(GError) error = NULL;

  doctor_report_json(text, doctor);
  g_assert_true(g_str_has_suffix(text->str, "}\n"));
  JsonNode *node = json_from_string(text->str, &error);
  g_assert_no_error(error);
  return node;
}

static HostFacts *two_kinds_of_cpu(void) {
  HostProcess process = fake_process();
  char *root = fake_host("6.12.0");
  fake_cpus(root, 0, 1, "0x410fd034");
  fake_cpus(root, 2, 2, "0x410fd082");
  directory_write(root, "proc/device-tree/model", "odd \xff \"name\"");
  directory_write(root, "sys/fs/cgroup/cpu.max", "150000 100000\n");
  return fake_read(root, &process);
}

static void test_json(void) {
  KvmFacts kvm = fake_kvm();
  kvm.sve = true;
  kvm.sve_lengths = 0x5;
  g_autoptr(HostFacts) host = two_kinds_of_cpu();
  g_autoptr(JsonNode) node = report(host, &kvm);
  JsonObject *top = json_node_get_object(node);
  JsonObject *verdict = json_object_get_object_member(top, "verdict");
  JsonObject *cpu = json_object_get_object_member(top, "cpu");
  JsonObject *features = json_object_get_object_member(top, "cpu_features");
  JsonObject *guests = json_object_get_object_member(top, "guests");
  JsonObject *limits = json_object_get_object_member(top, "limits");

  g_assert_cmpint(json_object_get_int_member(top, "version"), ==, 1);
  g_assert_true(json_object_get_boolean_member(verdict, "guests"));
  g_assert_true(json_object_get_null_member(verdict, "cure"));
  JsonArray *kinds = json_object_get_array_member(cpu, "kinds");
  g_assert_cmpuint(json_array_get_length(kinds), ==, 2);
  g_assert_cmpstr(json_object_get_string_member(json_array_get_object_element(kinds, 0), "cpus"), ==, "0-1");
  g_assert_cmpstr(json_object_get_string_member(json_array_get_object_element(kinds, 1), "midr"), ==, "0x410fd082");
  JsonArray *lengths = json_object_get_array_member(features, "sve_lengths");
  g_assert_cmpuint(json_array_get_length(lengths), ==, 2);
  g_assert_cmpint(json_array_get_int_element(lengths, 1), ==, 384);
  g_assert_cmpint(json_object_get_int_member(guests, "address_bits"), ==, 48);
  g_assert_cmpint(json_object_get_int_member(guests, "max_memory"), ==, INT64_C(4) << 40);
  g_assert_true(json_object_get_null_member(limits, "locked_memory")); /* unlimited */
  g_assert_cmpfloat(json_object_get_double_member(limits, "cgroup_cpus"), ==, 1.5);
}

/* The keys are the same whatever the host is, and what KVM was not asked is null. */
static void test_stable_keys(void) {
  HostProcess process = fake_process();
  KvmFacts kvm = fake_kvm(), none = fake_no_kvm(ENOENT);
  g_autoptr(HostFacts) some = two_kinds_of_cpu(), empty = fake_read(directory_new(), &process);
  g_autoptr(JsonNode) full = report(some, &kvm);
  g_autoptr(JsonNode) bare = report(empty, &none);
  g_autofree char *document = NULL;
  g_assert_true(g_file_get_contents("docs/doctor.md", &document, NULL, NULL));
  g_autoptr(GList) groups = json_object_get_members(json_node_get_object(full));

  for (GList *group = groups; group; group = group->next) {
    JsonNode *node = json_object_get_member(json_node_get_object(full), group->data);
    if (!JSON_NODE_HOLDS_OBJECT(node))
      continue;
    g_autoptr(GList) keys = json_object_get_members(json_node_get_object(node));
    JsonObject *other = json_object_get_object_member(json_node_get_object(bare), group->data);
    g_assert_cmpuint(g_list_length(keys), ==, json_object_get_size(other));
    for (GList *key = keys; key; key = key->next) {
      g_autofree char *quoted = g_strdup_printf("`%s`", (char *)key->data);
      g_assert_true(json_object_has_member(other, key->data));
      if (!strstr(document, quoted))
        g_error("docs/doctor.md does not have %s.%s", (char *)group->data, (char *)key->data);
    }
  }
  JsonObject *guests = json_object_get_object_member(json_node_get_object(bare), "guests");
  g_assert_true(json_object_get_null_member(guests, "gicv3") && json_object_get_null_member(guests, "max_cpus"));
}

static void test_text(void) {
  g_autoptr(HostFacts) host = two_kinds_of_cpu();
  KvmFacts kvm = fake_kvm(), none = fake_no_kvm(EBUSY);
  g_autoptr(Doctor) doctor = doctor_new(host, &kvm), ill = doctor_new(host, &none);
  g_autoptr(GString) text = g_string_new(NULL), short_text = g_string_new(NULL);

  doctor_report_text(text, doctor);
  doctor_report_text(short_text, ill);
  g_assert_true(g_str_has_prefix(text->str, "Guests run here: up to 512 vCPUs and 4 TiB of memory each, GICv3 with ITS"));
  g_assert_nonnull(strstr(text->str, "\nA guest can have\n"));
  g_assert_nonnull(strstr(text->str, "\nAdvice\n  - "));
  g_assert_nonnull(strstr(text->str, "2 x Cortex-A53 (0-1), 1 x Cortex-A72 (2)"));
  g_assert_true(g_str_has_prefix(short_text->str, "No guests here: somebody else"));
  g_assert_null(strstr(short_text->str, "A guest can have"));
  g_assert_true(g_utf8_validate(text->str, -1, NULL));
  g_auto(GStrv) lines = g_strsplit(text->str, "\n", -1);
  for (char **line = lines; *line; line++)
    g_assert_false(g_str_has_suffix(*line, " "));
}

static void test_options(void) {
  static const struct {
    const char *argument, *mistake;
  } cases[] = {
      {"--jsno", "unknown option --jsno; did you mean --json?"},
      {"--xyzzyx", "unknown option --xyzzyx"},
      {"kvm", "unexpected argument 'kvm'"},
  };
  struct {
    bool json;
  } options = {false};
  void *const records[] = {&options};

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    char *arguments[] = {(char *)"--json", (char *)cases[i].argument};
    g_autoptr(OptionDraft) draft = option_read(&doctor_option_set, records, 2, arguments);
    g_assert_cmpstr(draft->mistakes->str, ==, cases[i].mistake);
    g_assert_true(options.json && !draft->help);
  }
  char *ended[] = {(char *)"--json", (char *)"--", (char *)"--help"};
  g_autoptr(OptionDraft) good = option_read(&doctor_option_set, records, 2, ended);
  g_assert_cmpstr(good->mistakes->str, ==, "");
  g_autoptr(OptionDraft) stray = option_read(&doctor_option_set, records, 3, ended);
  g_assert_cmpstr(stray->mistakes->str, ==, "unexpected argument '--help'");
  g_assert_true(options.json && !stray->help);
}

int main(int argc, char **argv) {
  setlocale(LC_ALL, "C");
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/doctor/report/json", test_json);
  g_test_add_func("/doctor/report/stable-keys", test_stable_keys);
  g_test_add_func("/doctor/report/text", test_text);
  g_test_add_func("/doctor/report/options", test_options);
  return g_test_run();
}
