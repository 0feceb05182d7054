/* SPDX-License-Identifier: Apache-2.0 */
/* A member that is null is as one that is not there: Docker writes such. */
#include "vmm/helpers/image-config.h"

#include <stdbool.h>
#include <string.h>

#include "devices/printable.h"
#include "vmm/base/json-reader.h"

#define DEPTH_MAX   32
#define SHOWN_MAX   100
#define ELEMENT_MAX 131071 /* Linux: MAX_ARG_STRLEN, of a word or a variable */

G_DEFINE_QUARK(eret_image_error, image_error)

void image_config_free(ImageConfig *config) {
  if (!config)
    return;
  g_strfreev(config->entrypoint);
  g_strfreev(config->command);
  g_strfreev(config->env);
  g_free(config->cwd);
  g_free(config->user);
  g_free(config->layers);
  g_free(config);
}

static bool refuse(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);
static bool refuse(GError **error, const char *format, ...) {
  va_list values;

  va_start(values, format);
  g_autofree char *text = g_strdup_vprintf(format, values);
  va_end(values);
  g_set_error_literal(error, IMAGE_ERROR, IMAGE_ERROR_CONFIG, text);
  return false;
}

static JsonNode *member(JsonObject *object, const char *name) {
  JsonNode *node = object ? json_object_get_member(object, name) : NULL;

  return node && !JSON_NODE_HOLDS_NULL(node) ? node : NULL;
}

static bool holds_text(JsonNode *node) {
  return JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == G_TYPE_STRING;
}

/* *OBJECT is NULL where there is none. */
static bool take_object(JsonObject *of, const char *name, JsonObject **object, GError **error) {
  JsonNode *node = member(of, name);

  if (node && !JSON_NODE_HOLDS_OBJECT(node))
    return refuse(error, "its configuration is broken: %s is no object", name);
  *object = node ? json_node_get_object(node) : NULL;
  return true;
}

/* An empty one says nothing. */
static bool take_text(JsonObject *object, const char *name, char **text, GError **error) {
  JsonNode *node = member(object, name);

  if (node && !holds_text(node))
    return refuse(error, "its configuration is broken: %s is no text", name);
  const char *value = node ? json_node_get_string(node) : "";
  *text = *value ? g_strdup(value) : NULL;
  return true;
}

static bool take_texts(JsonObject *object, const char *name, char ***texts, GError **error) {
  JsonNode *node = member(object, name);
  g_autoptr(GStrvBuilder) builder = g_strv_builder_new();
  JsonArray *array = node && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;

  if (node && !array)
    return refuse(error, "its configuration is broken: %s is no list", name);
  for (unsigned i = 0; array && i < json_array_get_length(array); i++) {
    JsonNode *element = json_array_get_element(array, i);
    if (!holds_text(element))
      return refuse(error, "its configuration is broken: %s[%u] is no text", name, i);
    if (strlen(json_node_get_string(element)) > ELEMENT_MAX)
      return refuse(error, "its configuration is broken: %s[%u] is longer than a program's argument can be", name, i);
    g_strv_builder_add(builder, json_node_get_string(element));
  }
  *texts = g_strv_builder_end(builder);
  return true;
}

/* Another than WANTED is told as it is written there. */
static bool check_platform(JsonObject *root, const char *name, const char *wanted, GError **error) {
  g_autofree char *is = NULL;

  if (!take_text(root, name, &is, error))
    return false;
  if (!is)
    return refuse(error, "it does not say its %s; the guest's is %s", name, wanted);
  g_autofree char *cut = printable_cut(is, SHOWN_MAX), *shown = printable_line_escaped(cut, -1);
  return strcmp(is, wanted) == 0 || refuse(error, "its %s is '%s', and the guest's is %s", name, shown, wanted);
}

bool image_manifest_has_layers(const char *json, gsize size, const ImageConfig *config, GError **error) {
  static const JsonLimits limits = {"container image's manifest", IMAGE_CONFIG_MAX, DEPTH_MAX};
  g_auto(GStrv) wanted = g_strsplit(config->layers, " ", -1);
  g_autoptr(GError) local = NULL;
  g_autoptr(JsonDocument) document = json_document_parse(json, size, &limits, &local);
  JsonNode *root = document ? json_document_root(document) : NULL;
  JsonNode *layers = root && JSON_NODE_HOLDS_OBJECT(root) ? member(json_node_get_object(root), "layers") : NULL;
  unsigned n = layers && JSON_NODE_HOLDS_ARRAY(layers) ? json_array_get_length(json_node_get_array(layers)) : 0;

  if (!root)
    return refuse(error, "its manifest is broken: %s", local->message);
  return n == g_strv_length(wanted) ||
         refuse(error, "its manifest has %u layers, and its configuration names %u: it is not whole", n, g_strv_length(wanted));
}

/* Variables without a name, or a value, are none. */
static char **only_variables(char **texts) {
  g_autoptr(GStrvBuilder) builder = g_strv_builder_new();

  for (; *texts; texts++)
    if (**texts != '=' && strchr(*texts, '='))
      g_strv_builder_add(builder, *texts);
  return g_strv_builder_end(builder);
}

static bool take_layers(JsonObject *root, ImageConfig *config, GError **error) {
  g_auto(GStrv) layers = NULL;
  JsonObject *rootfs = NULL;

  if (!take_object(root, "rootfs", &rootfs, error) || !take_texts(rootfs, "diff_ids", &layers, error))
    return false;
  if (!layers || !*layers)
    return refuse(error, "its configuration names no layer");
  config->layers = g_strjoinv(" ", layers);
  return true;
}

static bool take_all(JsonObject *root, ImageConfig *config, GError **error) {
  JsonObject *how = NULL;
  g_auto(GStrv) env = NULL;
  g_autofree char *cwd = NULL;

  if (!check_platform(root, "os", "linux", error) || !check_platform(root, "architecture", "arm64", error))
    return false;
  if (!take_object(root, "config", &how, error) || !take_layers(root, config, error) || !take_text(how, "WorkingDir", &cwd, error) ||
      !take_text(how, "User", &config->user, error) || !take_texts(how, "Env", &env, error) ||
      !take_texts(how, "Entrypoint", &config->entrypoint, error) || !take_texts(how, "Cmd", &config->command, error))
    return false;
  config->env = only_variables(env);
  config->cwd = cwd ? g_canonicalize_filename(cwd, "/") : NULL;
  return true;
}

ImageConfig *image_config_parse(const char *json, gsize size, GError **error) {
  static const JsonLimits limits = {"container image's configuration", IMAGE_CONFIG_MAX, DEPTH_MAX};
  g_autoptr(GError) local = NULL;
  g_autoptr(JsonDocument) document = json_document_parse(json, size, &limits, &local);
  JsonNode *root = document ? json_document_root(document) : NULL;
  g_autoptr(ImageConfig) config = g_new0(ImageConfig, 1);

  if (!root || !JSON_NODE_HOLDS_OBJECT(root)) {
    refuse(error, "its configuration is broken: %s", root ? "it is no object" : local->message);
    return NULL;
  }
  return take_all(json_node_get_object(root), config, error) ? g_steal_pointer(&config) : NULL;
}
