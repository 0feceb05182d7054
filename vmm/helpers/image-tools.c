/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that reads an archive needs no network, and can have none (storage-cage.h): what has taken it over goes
 * nowhere. Who is not root unpacks an image as his own; whose a file is to be, umoci notes in its extended attribute
 * user.rootlesscontainers.
 */
#include "vmm/helpers/image-tools.h"

#include <string.h>
#include <unistd.h>

#include "vmm/helpers/helper-run.h"
#include "vmm/helpers/image-config.h"
#include "vmm/helpers/storage-cage.h"

#define LAYOUT_TAG "image"

/* One at work. */
typedef struct {
  const ImageTools *tools;
  const char *what;
  gint64 start;
  bool shown; /* that it is waited for */
} Work;

static void on_waiting(void *opaque) {
  Work *work = opaque;

  work->shown = work->tools->waiting;
  if (work->shown)
    work->tools->waiting(work->tools->name->text, work->what, (unsigned)((g_get_monotonic_time() - work->start) / G_USEC_PER_SEC));
}

/* A backslash at the end escapes nothing: the line was cut off, or is not Go's. */
static void cut_escape(char *text) {
  size_t size = strlen(text), n = 0;

  while (n < size && text[size - 1 - n] == '\\')
    n++;
  if (n % 2)
    text[size - 1] = 0;
}

char *image_tools_plain_line(const char *line) {
  const char *message = strstr(line, "msg=\"");

  if (!message) {
    const char *mark = "\xe2\xa8\xaf"; /* U+2A2F */
    line += strspn(line, " ");
    line += g_str_has_prefix(line, mark) ? strlen(mark) : 0;
    return g_strdup(line + strspn(line, " "));
  }
  message += strlen("msg=\"");
  g_autofree char *quoted = g_strndup(message, strlen(message) - g_str_has_suffix(message, "\""));
  cut_escape(quoted);
  return g_strcompress(quoted);
}

static char *run(const ImageTools *tools, const char *const *argv, const char *what, gsize output_max, gsize *size, GError **error) {
  const StorageCage cage = {.network = !tools->name->path};
  Work work = {.tools = tools, .what = what, .start = g_get_monotonic_time()};
  const HelperRun config = {
      .name = argv[0],
      .argv = argv,
      .output_max = output_max,
      .plain = image_tools_plain_line,
      .set_up = {storage_cage_enter, &cage},
      .waiting = on_waiting,
      .opaque = &work,
  };
  char *output = helper_run(&config, size, error);

  if (work.shown)
    tools->waiting(tools->name->text, NULL, 0);
  return output;
}

bool image_tools_are_there(GError **error) {
  static const char *const programs[] = {IMAGE_SKOPEO, IMAGE_UMOCI};
  g_autoptr(GString) missing = g_string_new(NULL);

  for (unsigned i = 0; i < G_N_ELEMENTS(programs); i++) {
    g_autofree char *path = g_find_program_in_path(programs[i]);
    if (!path)
      g_string_append_printf(missing, "%s%s", missing->len ? " " : "", programs[i]);
  }
  if (missing->len)
    g_set_error(error, IMAGE_ERROR, IMAGE_ERROR_STORE,
                "container images are read by skopeo and unpacked by umoci, and there is no %s; install %s (Debian: apt install %s)",
                strchr(missing->str, ' ') ? "skopeo and no umoci" : missing->str, strchr(missing->str, ' ') ? "them" : "it", missing->str);
  return missing->len == 0;
}

char *image_tools_version(const char *program) {
  const char *const argv[] = {program, "--version", NULL};
  g_autofree char *output = NULL;

  if (!g_spawn_sync(NULL, (char **)argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, &output, NULL, NULL, NULL))
    return NULL;
  const char *number = output ? strpbrk(output, "0123456789") : NULL;
  return number ? g_strndup(number, strspn(number, "0123456789.")) : NULL;
}

/* Its configuration, or its manifest. */
static char *inspect(const ImageTools *tools, const char *argument, bool manifest, gsize *size, GError **error) {
  const char *const argv[] = {
      IMAGE_SKOPEO, "--override-os", "linux", "--override-arch", "arm64", "inspect", "--raw", manifest ? "--raw" : "--config", argument,
      NULL};

  return run(tools, argv, "skopeo looks at it", IMAGE_CONFIG_MAX, size, error);
}

static char *layout_argument(const char *layout) {
  return g_strdup_printf("oci:%s:" LAYOUT_TAG, layout);
}

char *image_tools_inspect(const ImageTools *tools, gsize *size, GError **error) {
  return inspect(tools, tools->name->argument, false, size, error);
}

char *image_tools_inspect_layout(const ImageTools *tools, const char *layout, gsize *size, GError **error) {
  g_autofree char *argument = layout_argument(layout);

  return inspect(tools, argument, false, size, error);
}

char *image_tools_inspect_manifest(const ImageTools *tools, const char *layout, gsize *size, GError **error) {
  g_autofree char *argument = layout_argument(layout);

  return inspect(tools, argument, true, size, error);
}

/* A layout has no place for signatures, of which skopeo's policy has made what it wanted by then. */
bool image_tools_copy(const ImageTools *tools, const char *layout, GError **error) {
  g_autofree char *argument = layout_argument(layout);
  const char *const argv[] = {
      IMAGE_SKOPEO,          "--override-os", "linux", "--override-arch", "arm64", "copy", "--quiet", "--remove-signatures",
      tools->name->argument, argument,        NULL};
  g_autofree char *output = run(tools, argv, "skopeo copies it", 0, NULL, error);

  return output;
}

/* Without the rest of a bundle, for which umoci would read each file once more. */
bool image_tools_unpack(const ImageTools *tools, const char *layout, const char *root, GError **error) {
  g_autofree char *argument = g_strdup_printf("%s:" LAYOUT_TAG, layout);
  const char *const argv[] = {IMAGE_UMOCI, "raw", "unpack", "--image", argument, root, NULL};
  const char *const as_user[] = {IMAGE_UMOCI, "raw", "unpack", "--rootless", "--image", argument, root, NULL};
  g_autofree char *output = run(tools, geteuid() ? as_user : argv, "umoci unpacks it", 0, NULL, error);

  return output;
}
