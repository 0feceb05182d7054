/* SPDX-License-Identifier: Apache-2.0 */
/* A container image among a machine's options: what goes with it, and what it becomes. */
#include "tests/unit/vmm/exec/fake-virtiofsd.h"
#include "vmm/config/config.h"

typedef struct {
  char *directory, *before;
} Fixture;

static void set_up(Fixture *fixture, gconstpointer data) {
  fixture->directory = directory_new();
  fixture->before = g_get_current_dir();
  directory_write(fixture->directory, "kernel", "x");
  directory_write(fixture->directory, "a.tar", "x");
  directory_write(fixture->directory, "layout/index.json", "x");
  g_assert_cmpint(g_chdir(fixture->directory), ==, 0);
}

static void tear_down(Fixture *fixture, gconstpointer data) {
  g_assert_cmpint(g_chdir(fixture->before), ==, 0);
  directory_free(fixture->directory);
  g_free(fixture->directory);
  g_free(fixture->before);
}

static Config *parse(const char *line, GError **error) {
  g_auto(GStrv) words = g_strsplit(line, " ", -1);
  bool help;

  return config_parse((int)g_strv_length(words), words, &help, error);
}

static void test_good(Fixture *fixture, gconstpointer data) {
  static const char *const images[] = {"oci:layout", "oci:layout:tag", "oci-archive:a.tar", "docker-archive:a.tar:x:1", "docker://x"};

  for (unsigned i = 0; i < G_N_ELEMENTS(images); i++) {
    g_autoptr(GError) error = NULL;
    g_autofree char *line = g_strconcat("--kernel kernel --image ", images[i], " --entrypoint /e -- a --b", NULL);
    g_autoptr(Config) config = parse(line, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(config->rootfs->len, ==, 1);
    const RootfsConfig *root = config->rootfs->pdata[0];
    g_assert_true(root->of_image);
    g_assert_null(root->path);
    g_assert_true(config->root == ROOT_PACKED || config->root == ROOT_SHARED);
    g_assert_true(config->own_init && config_makes_initrd(config));
    g_assert_cmpuint(config->command->len, ==, 2);
    g_assert_cmpstr(config->command->pdata[1], ==, "--b");
    g_assert_true(strstr(config->append, "quiet"));
  }
}

/* A virtiofsd that there seems to be shares the directory, which has no path before there is one. */
static void test_shared(Fixture *fixture, gconstpointer data) {
  g_autoptr(GError) error = NULL;
  char *virtiofsd = fake_virtiofsd_begin();
  g_autoptr(Config) config = parse("--kernel kernel --image oci:layout --share layout,at=/x", &error);

  fake_virtiofsd_end(virtiofsd);
  g_assert_no_error(error);
  g_assert_cmpint(config->root, ==, ROOT_SHARED);
  g_assert_cmpuint(config->shares->len, ==, 2);
  const ShareConfig *share = config->shares->pdata[1];
  g_assert_true(share->is_root && share->read_only && !share->path);
  g_assert_null(strstr(config->append, "systemd.mount-extra"));
}

static void test_volume(Fixture *fixture, gconstpointer data) {
  g_autoptr(Config) config = parse("--kernel kernel --image oci:layout --append loglevel=7", NULL);

  g_assert_null(strstr(config->append, "quiet"));
}

static void test_description(Fixture *fixture, gconstpointer data) {
  g_autoptr(GError) error = NULL;
  directory_write(fixture->directory, "below/vm.json",
                  "{\"image\": \"oci:../layout:x\", \"kernel\": \"../kernel\", \"entrypoint\": \"/e\"}");
  g_autoptr(Config) config = parse("--config below/vm.json", &error);

  g_assert_no_error(error);
  g_assert_cmpstr(config->image, ==, "oci:below/../layout:x");
}

static void test_bad(Fixture *fixture, gconstpointer data) {
  static const struct {
    const char *line, *message;
  } cases[] = {
      {"--kernel kernel --image alpine", "--image: 'alpine' is none of " IMAGE_NAME_FORMS},
      {"--kernel kernel --image dir:layout", "--image: 'dir:layout' is none of " IMAGE_NAME_FORMS},
      {"--kernel kernel --image oci:a.tar", "--image: 'a.tar' is no directory, as an image of oci: is one"},
      {"--kernel kernel --image docker-archive:layout", "--image: 'layout' is a directory, a file is wanted"},
      {"--kernel kernel --image oci-archive:none", "--image: cannot open 'none': No such file or directory"},
      {"--kernel kernel --image oci:layout --rootfs layout",
       "--image: the root is the image's, and none of --rootfs: leave one of them out"},
      {"--image oci:layout --firmware kernel", "no kernel given: add --kernel FILE, which the firmware starts"},
      {"--kernel kernel --entrypoint x", "--entrypoint: there is no --image whose entry point this would replace"},
      {"--kernel kernel -- word", "unexpected argument 'word': everything but a disk image is given by an option, such as --kernel FILE"},
      {"--kernel kernel -- disk.img", "unexpected argument 'disk.img': a disk image stands before --, and words for an --image behind it"},
      {"--kernel kernel -- oci:layout", "unexpected argument 'oci:layout'; did you mean --image oci:layout?"},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(Config) config = parse(cases[i].line, &error);
    g_assert_null(config);
    g_assert_cmpstr(error->message, ==, cases[i].message);
  }
}

/* What is written is no image that is read. */
static void test_written(Fixture *fixture, gconstpointer data) {
  g_autoptr(GError) error = NULL;
  g_autoptr(Config) config = parse("--kernel kernel --image docker-archive:a.tar --stats=a.tar", &error);

  g_assert_null(config);
  g_assert_nonnull(strstr(error->message, "a.tar"));
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
#define TEST(name, function) g_test_add("/config-image/" name, Fixture, NULL, set_up, function, tear_down)
  TEST("good", test_good);
  TEST("shared", test_shared);
  TEST("volume", test_volume);
  TEST("description", test_description);
  TEST("bad", test_bad);
  TEST("written", test_written);
  return g_test_run();
}
