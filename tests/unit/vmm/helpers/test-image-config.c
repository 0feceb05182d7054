/* SPDX-License-Identifier: Apache-2.0 */
/* What an image says of itself, by people and by others; and the names that images have. */
#include "vmm/helpers/image-config.h"

#include <string.h>

#include "vmm/helpers/image-name.h"

#define HEAD   "{\"os\": \"linux\", \"architecture\": \"arm64\""
#define ROOTFS ", \"rootfs\": {\"type\": \"layers\", \"diff_ids\": [\"sha256:a\", \"sha256:b\"]}"

static char *joined(char *const *texts) {
  return g_strjoinv("|", (char **)texts);
}

static void expect_texts(char *const *texts, const char *wanted) {
  g_autofree char *all = joined(texts);

  g_assert_cmpstr(all, ==, wanted);
}

static ImageConfig *parse(const char *json, GError **error) {
  return image_config_parse(json, strlen(json), error);
}

static void test_good(void) {
  g_autoptr(GError) error = NULL;
  g_autoptr(ImageConfig) config = parse(HEAD ROOTFS ", \"config\": {\"Env\": [\"A=b=c\", \"E=\", \"none\", \"=x\", \"\"], \"Entrypoint\": "
                                                    "[\"/bin/sh\", \"-c\"], \"Cmd\": [\"id\", \"\"], \"WorkingDir\": \"/srv/../opt/\", "
                                                    "\"User\": \"app:1\"}, \"history\": [{\"empty_layer\": true}]}",
                                        &error);

  g_assert_no_error(error);
  expect_texts(config->env, "A=b=c|E=");
  expect_texts(config->entrypoint, "/bin/sh|-c");
  expect_texts(config->command, "id|");
  g_assert_cmpstr(config->cwd, ==, "/opt");
  g_assert_cmpstr(config->user, ==, "app:1");
  g_assert_cmpstr(config->layers, ==, "sha256:a sha256:b");
}

/* Docker writes null for what there is not; a relative directory is one of the root. */
static void test_sparse(void) {
  static const char *const texts[] = {
      HEAD ROOTFS "}",
      HEAD ROOTFS ", \"config\": null}",
      HEAD ROOTFS ", \"config\": {\"Env\": null, \"Cmd\": null, \"Entrypoint\": null, \"WorkingDir\": \"\", \"User\": \"\"}}",
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(texts); i++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(ImageConfig) config = parse(texts[i], &error);
    g_assert_no_error(error);
    expect_texts(config->env, "");
    expect_texts(config->entrypoint, "");
    expect_texts(config->command, "");
    g_assert_null(config->cwd);
    g_assert_null(config->user);
  }
  g_autoptr(ImageConfig) relative = parse(HEAD ROOTFS ", \"config\": {\"WorkingDir\": \"srv\"}}", NULL);
  g_assert_cmpstr(relative->cwd, ==, "/srv");
}

static void test_bad(void) {
  static const struct {
    const char *json, *message;
  } cases[] = {
      {"", "its configuration is broken: there is nothing in it"},
      {"[]", "its configuration is broken: it is no object"},
      {"{}", "it does not say its os; the guest's is linux"},
      {"{\"os\": 3}", "its configuration is broken: os is no text"},
      {"{\"os\": \"windows\"}", "its os is 'windows', and the guest's is linux"},
      {"{\"os\": \"linux\", \"architecture\": \"amd64\"}", "its architecture is 'amd64', and the guest's is arm64"},
      {"{\"os\": \"linux\", \"architecture\": \"\\u001b[2J\"}", "its architecture is '\\u001b[2J', and the guest's is arm64"},
      {"{\"os\": \"linux\"}", "it does not say its architecture; the guest's is arm64"},
      {HEAD "}", "its configuration names no layer"},
      {HEAD ", \"rootfs\": []}", "its configuration is broken: rootfs is no object"},
      {HEAD ", \"rootfs\": {\"diff_ids\": [1]}}", "its configuration is broken: diff_ids[0] is no text"},
      {HEAD ROOTFS ", \"config\": \"x\"}", "its configuration is broken: config is no object"},
      {HEAD ROOTFS ", \"config\": {\"Cmd\": \"id\"}}", "its configuration is broken: Cmd is no list"},
      {HEAD ROOTFS ", \"config\": {\"Entrypoint\": [[]]}}", "its configuration is broken: Entrypoint[0] is no text"},
      {HEAD ROOTFS ", \"config\": {\"Env\": [\"A=b\", null]}}", "its configuration is broken: Env[1] is no text"},
      {HEAD ROOTFS ", \"config\": {\"User\": 0}}", "its configuration is broken: User is no text"},
      {HEAD ROOTFS ", \"config\": {\"WorkingDir\": {}}}", "its configuration is broken: WorkingDir is no text"},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(ImageConfig) config = parse(cases[i].json, &error);
    g_assert_null(config);
    g_assert_cmpstr(error->message, ==, cases[i].message);
  }
}

/* What is no JSON, twice there, too deep or too long. */
static void test_hostile(void) {
  g_autofree char *deep = g_strnfill(100, '['), *word = g_strnfill(200000, 'x');
  g_autofree char *nested = g_strconcat(HEAD ROOTFS ", \"config\": ", deep, NULL);
  g_autofree char *longest = g_strconcat(HEAD ROOTFS ", \"config\": {\"Cmd\": [\"", word, "\"]}}", NULL);
  const char *const texts[] = {nested, longest, HEAD ROOTFS, HEAD ", \"os\": \"linux\"" ROOTFS "}",
                               HEAD ROOTFS ", \"config\": {\"Cmd\": [\"a\\u0000b\"]}}"};

  for (unsigned i = 0; i < G_N_ELEMENTS(texts); i++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(ImageConfig) config = parse(texts[i], &error);
    g_assert_null(config);
    g_assert_cmpuint(strlen(error->message), <, 400);
  }
}

static void test_names(void) {
  static const struct {
    const char *text, *path;
    bool directory;
  } good[] = {
      {"oci:layout", "layout", true},
      {"oci:/a/layout:tag", "/a/layout", true},
      {"oci-archive:a.tar:b:c", "a.tar", false},
      {"docker-archive:x/alpine.tar:alpine:3.20", "x/alpine.tar", false},
      {"docker://registry.example/alpine:3.20", NULL, false},
  };
  static const char *const bad[] = {"",
                                    "alpine",
                                    "oci:",
                                    "oci::tag",
                                    "docker-archive:",
                                    "docker://",
                                    "docker:alpine",
                                    "docker-daemon:alpine:3",
                                    "containers-storage:x",
                                    "dir:x",
                                    "-oci:x"};
  g_autofree char *here = g_get_current_dir();

  for (unsigned i = 0; i < G_N_ELEMENTS(good); i++) {
    g_autofree char *why = NULL;
    g_autoptr(ImageName) name = image_name_parse(good[i].text, &why);
    g_assert_nonnull(name);
    g_assert_cmpstr(name->path, ==, good[i].path);
    g_assert_true(name->directory == good[i].directory);
  }
  for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
    g_autofree char *why = NULL;
    g_assert_null(image_name_parse(bad[i], &why));
    g_assert_nonnull(why);
  }
  g_autoptr(ImageName) relative = image_name_parse("oci-archive:x/../y.tar:a:b", NULL);
  g_autofree char *wanted = g_strconcat("oci-archive:", here, "/y.tar:a:b", NULL);
  g_assert_cmpstr(relative->argument, ==, wanted);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/image-config/good", test_good);
  g_test_add_func("/image-config/sparse", test_sparse);
  g_test_add_func("/image-config/bad", test_bad);
  g_test_add_func("/image-config/hostile", test_hostile);
  g_test_add_func("/image-config/names", test_names);
  return g_test_run();
}
