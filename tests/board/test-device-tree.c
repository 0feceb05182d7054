/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device tree of whole machines against golden text, through dtc: which also has to find nothing to warn of. A
 * change that is meant is taken over by running the test with UPDATE_GOLDEN=1 and reading the difference.
 */
#include "tests/board/board-fixture.h"

#include <gio/gio.h>

static const struct {
  const char *name, *arguments;
  GicVersion gic;
} machines[] = {
    {"default", "--memory 512M", GIC_V3},
    {"gicv2", "--memory 512M --cpus 2 --gic 2 --rng", GIC_V2},
    {"virtio-console", "--memory 1G --cpus 4 --console virtio --rng --append quiet", GIC_V3},
    {"virtio-mmio", "--memory 256M --console virtio --rng --transport mmio", GIC_V3},
    {"nested", "--nested --cpus 2 --scratch", GIC_V3},
    {"nested-e2h0", "--nested=e2h0 --no-defaults --memory 64M", GIC_V3},
    {"guest-state", "--no-defaults --memory 64M --watchdog --pvpanic --vmgenid auto --vmclock", GIC_V3},
    {"firmware", "--firmware LICENSE --memory 256M", GIC_V3},
    {"bare", "--no-defaults --memory 64M --cpu host,pmu=off", GIC_V3},
    {"fw-cfg", "--no-defaults --memory 64M --fw-cfg name=opt/x,string=y", GIC_V3},
    {"many-cpus", "--cpus 130 --memory 64G --no-defaults", GIC_V3},
};

static GBytes *describe(const BoardFixture *fixture) {
  static const BootPlacement placement = {.initrd_start = 0x48000000, .initrd_size = 0x123456};
  static const BootSeed seed = {.rng = {1, 2, 3, 4, 5, 6, 7, 8, [31] = 32}, .kaslr = 0x0123456789abcdef};
  g_autoptr(GError) error = NULL;
  GBytes *fdt = platform_describe(fixture->platform, &placement, &seed, &error);

  g_assert_no_error(error);
  return fdt;
}

/* dtc writes lists of strings as "a\0b" up to version 1.6, as "a", "b" from 1.7 on. */
static char *join_strings(const char *text) {
  g_auto(GStrv) parts = g_strsplit(text, "\", \"", -1);
  return g_strjoinv("\\0", parts);
}

/* The text of FDT. dtc is quiet unless there is something to warn of. */
static char *decompile(GBytes *fdt) {
  g_autoptr(GError) error = NULL;
  g_autoptr(GSubprocess) dtc =
      g_subprocess_new(G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_PIPE, &error, "dtc", "-I",
                       "dtb", "-O", "dts", "-s", "-", NULL);
  g_autoptr(GBytes) text = NULL;
  g_autoptr(GBytes) warnings = NULL;

  g_assert_no_error(error);
  g_subprocess_communicate(dtc, fdt, NULL, &text, &warnings, &error);
  g_assert_no_error(error);
  g_assert_true(g_subprocess_get_successful(dtc));
  g_assert_cmpstr(g_bytes_get_size(warnings) ? (const char *)g_bytes_get_data(warnings, NULL) : "", ==, "");
  g_autofree char *all = g_strndup(g_bytes_get_data(text, NULL), g_bytes_get_size(text));
  return join_strings(all);
}

static void test_golden(gconstpointer data) {
  unsigned index = GPOINTER_TO_UINT(data);
  g_autofree char *path = g_strdup_printf("tests/board/golden/%s.dts", machines[index].name);
  g_autofree char *golden = NULL;
  BoardFixture fixture;

  board_fixture_init(&fixture, machines[index].arguments, machines[index].gic);
  g_autoptr(GBytes) fdt = describe(&fixture);
  g_autoptr(GBytes) again = describe(&fixture);
  g_assert_true(g_bytes_equal(fdt, again));
  g_autofree char *text = decompile(fdt);
  if (g_getenv("UPDATE_GOLDEN"))
    g_assert_true(g_file_set_contents(path, text, -1, NULL));
  g_assert_true(g_file_get_contents(path, &golden, NULL, NULL));
  g_assert_cmpstr(text, ==, golden);
  board_fixture_clear(&fixture);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_autofree char *dtc = g_find_program_in_path("dtc");
  for (unsigned i = 0; dtc && i < G_N_ELEMENTS(machines); i++) {
    g_autofree char *path = g_strdup_printf("/device-tree/%s", machines[i].name);
    g_test_add_data_func(path, GUINT_TO_POINTER(i), test_golden);
  }
  return g_test_run();
}
