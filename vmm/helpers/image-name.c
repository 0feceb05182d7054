/* SPDX-License-Identifier: Apache-2.0 */
/* containers-transports(5): a path ends at its first colon, whatever it is meant to be. */
#include "vmm/helpers/image-name.h"

#include <string.h>

static const struct Transport {
  const char *prefix;
  bool has_path, directory;
} transports[] = {
    {"oci:", true, true},
    {"oci-archive:", true, false},
    {"docker-archive:", true, false},
    {"docker://", false, false},
};

static const struct Transport *transport_of(const char *text) {
  for (unsigned i = 0; i < G_N_ELEMENTS(transports); i++)
    if (g_str_has_prefix(text, transports[i].prefix))
      return &transports[i];
  return NULL;
}

const char *image_name_find_path(const char *text, size_t *length) {
  const struct Transport *transport = transport_of(text);
  const char *path = transport && transport->has_path ? text + strlen(transport->prefix) : NULL;

  *length = path ? strcspn(path, ":") : 0;
  return *length ? path : NULL;
}

void image_name_free(ImageName *name) {
  if (!name)
    return;
  g_free(name->text);
  g_free(name->argument);
  g_free(name->path);
  g_free(name);
}

/* skopeo is started elsewhere than where its user is. */
static char *argument_of(const char *text, const char *path, size_t length, const char *absolute) {
  return strchr(absolute, ':') ? g_strdup(text) : g_strdup_printf("%.*s%s%s", (int)(path - text), text, absolute, path + length);
}

ImageName *image_name_parse(const char *text, char **why) {
  const struct Transport *transport = transport_of(text);
  size_t length;
  const char *path = image_name_find_path(text, &length);

  if (!transport) {
    *why = g_strdup_printf("'%s' is none of " IMAGE_NAME_FORMS, text);
    return NULL;
  }
  if (transport->has_path ? !path : !text[strlen(transport->prefix)]) {
    *why = g_strdup_printf("'%s': behind %s stands %s", text, transport->prefix,
                           !transport->has_path   ? "the image's name, such as registry.example/alpine:3.20"
                           : transport->directory ? "the directory that the image is in"
                                                  : "the file that the image is in");
    return NULL;
  }
  ImageName *name = g_new0(ImageName, 1);
  name->text = g_strdup(text);
  name->path = path ? g_strndup(path, length) : NULL;
  name->directory = transport->directory;
  g_autofree char *absolute = path ? g_canonicalize_filename(name->path, NULL) : NULL;
  name->argument = path ? argument_of(text, path, length, absolute) : g_strdup(text);
  return name;
}
