/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON from outside: vmm/base/json-reader.c; and what is made of it: what a container image says of itself, CPU
 * templates, other machines' results.
 */
#include "tests/fuzz/fuzz.h"

#include "devices/printable.h"
#include "vmm/base/json-reader.h"
#include "vmm/base/json-writer.h"
#include "vmm/cpu/template.h"
#include "vmm/helpers/image-config.h"
#include "vmm/suite/report.h"

#define DEPTH 8

/* Each node has a line of the text, and none is deeper than was said. */
static void look(const JsonDocument *document, JsonNode *node, unsigned lines, unsigned depth) {
  g_assert_cmpuint(depth, <=, DEPTH);
  g_assert_cmpuint(json_document_line(document, node), >=, 1);
  g_assert_cmpuint(json_document_line(document, node), <=, lines);
  if (JSON_NODE_HOLDS_ARRAY(node)) {
    JsonArray *array = json_node_get_array(node);
    for (unsigned i = 0; i < json_array_get_length(array); i++)
      look(document, json_array_get_element(array, i), lines, depth + 1);
  } else if (JSON_NODE_HOLDS_OBJECT(node)) {
    g_autoptr(GList) members = json_object_get_members(json_node_get_object(node));
    for (GList *at = members; at; at = at->next)
      look(document, json_object_get_member(json_node_get_object(node), at->data), lines, depth + 1);
  } else if (json_node_get_value_type(node) == G_TYPE_STRING) {
    g_assert_true(g_utf8_validate(json_node_get_string(node), -1, NULL));
  }
}

static void read_tree(const char *text, size_t size) {
  static const JsonLimits limits = {.what = "input", .size_max = 1 << 20, .depth_max = DEPTH};
  g_autoptr(GError) error = NULL;
  g_autoptr(JsonDocument) document = json_document_parse(text, size, &limits, &error);
  unsigned lines = 1;

  g_assert_true(!document == !!error);
  if (!document)
    return;
  for (size_t i = 0; i < size; i++)
    lines += text[i] == '\n';
  look(document, json_document_root(document), lines, 0);
  g_autofree char *shown = printable_json(text);
  g_autoptr(JsonDocument) again = json_document_parse(shown, strlen(shown), &limits, &error);
  g_assert_no_error(error); /* it says the same to a program */
}

static void read_image(const char *text, size_t size) {
  g_autoptr(GError) error = NULL, other = NULL;
  g_autoptr(ImageConfig) config = image_config_parse(text, size, &error);

  g_assert_true(!config == !!error);
  if (config)
    image_manifest_has_layers(text, size, config, &other);
}

static void read_template(const char *text, size_t size) {
  g_autoptr(GError) error = NULL;
  g_autoptr(CpuTemplate) template = cpu_template_parse("input", text, size, &error);

  g_assert_true(!template == !!error);
  if (!template)
    return;
  g_autofree char *printed = cpu_template_print(template);
  g_autoptr(CpuTemplate) again = cpu_template_parse("input", printed, strlen(printed), &error);
  g_assert_no_error(error);
  g_autofree char *difference = cpu_template_diff(template, again);
  g_assert_cmpstr(difference, ==, "");
}

static void read_results(const char *text, size_t size) {
  g_autoptr(GString) out = g_string_new(NULL);
  g_autoptr(GError) error = NULL;
  FuzzFile file;

  fuzz_file_init(&file, text, size);
  g_autoptr(LoadedResults) loaded = results_load_json(file.path, &error);
  fuzz_file_clear(&file);
  g_assert_true(!loaded == !!error);
  if (!loaded)
    return;
  report_tap(out, loaded->results);
  report_junit(out, loaded->results);
  report_github(out, loaded->results);
  report_summary(out, loaded->results);
  g_assert_true(g_utf8_validate(out->str, (gssize)out->len, NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  g_autofree char *text = fuzz_text(data, size);

  read_tree(text, size);
  read_image(text, size);
  read_template(text, size);
  read_results(text, size);
  return 0;
}
