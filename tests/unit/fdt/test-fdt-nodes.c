/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The nodes that are not devices: fdt/fdt-nodes.c, read back with libfdt, and as a whole by the device-tree compiler.
 */
#include "fdt/fdt-nodes.h"

#include <gio/gio.h>
#include <libfdt.h>
#include <string.h>

#include "tests/unit/fakes.h"

static GBytes *finish(FdtWriter *fdt) {
  g_autoptr(GError) error = NULL;
  GBytes *tree = fdt_writer_finish(fdt, &error);

  g_assert_no_error(error);
  g_assert_cmpint(fdt_check_full(g_bytes_get_data(tree, NULL), g_bytes_get_size(tree)), ==, 0);
  return tree;
}

static bool has_property(GBytes *tree, const char *path, const char *property) {
  const void *blob = g_bytes_get_data(tree, NULL);
  int node = fdt_path_offset(blob, path);

  g_assert_cmpint(node, >=, 0);
  return fdt_getprop(blob, node, property, NULL) != NULL;
}

static bool has_node(GBytes *tree, const char *path) {
  return fdt_path_offset(g_bytes_get_data(tree, NULL), path) >= 0;
}

static void test_root(void) {
  g_autoptr(FdtWriter) fdt = fdt_writer_new();

  fdt_write_root(fdt);
  g_autoptr(GBytes) tree = finish(fdt);
  fake_assert_cells(tree, "/", "#address-cells", 2);
  fake_assert_cells(tree, "/", "#size-cells", 2);
  fake_assert_string(tree, "/", "compatible", "linux,dummy-virt");
  fake_assert_string(tree, "/", "model", "eret");
  fake_assert_cells(tree, "/", "interrupt-parent", FDT_PHANDLE_GIC);
  fake_assert_flag(tree, "/", "dma-coherent");
}

static void test_identity(void) {
  g_autoptr(FdtWriter) fdt = fdt_writer_new(), without = fdt_writer_new();

  fdt_write_root(fdt);
  fdt_write_identity(fdt, "324E6EAF-d1d1-4bf6-bf41-b9bb6c91fb87", "number 7");
  g_autoptr(GBytes) tree = finish(fdt);
  fake_assert_string(tree, "/", "vm,uuid", "324e6eaf-d1d1-4bf6-bf41-b9bb6c91fb87");
  fake_assert_string(tree, "/", "serial-number", "number 7");
  fdt_write_root(without);
  fdt_write_identity(without, NULL, NULL);
  g_autoptr(GBytes) bare = finish(without);
  g_assert_false(has_property(bare, "/", "vm,uuid"));
  g_assert_false(has_property(bare, "/", "serial-number"));
}

static void test_hypervisor(void) {
  g_autoptr(FdtWriter) fdt = fdt_writer_new();

  fdt_write_hypervisor(fdt);
  g_autoptr(GBytes) tree = finish(fdt);
  fake_assert_string(tree, "/hypervisor", "compatible", "linux,kvm");
}

static void test_chosen_full(void) {
  uint8_t seed[64];
  g_autoptr(FdtWriter) fdt = fdt_writer_new();

  for (unsigned i = 0; i < sizeof seed; i++)
    seed[i] = (uint8_t)(3 * i + 1);
  fdt_write_chosen(fdt, &(FdtChosen){
                            .bootargs = "console=ttyAMA0 quiet",
                            .stdout_path = "/pl011@9000000",
                            .initrd_start = UINT64_C(0x7fffff000),
                            .initrd_size = 0x1234,
                            .rng_seed = seed,
                            .rng_seed_size = sizeof seed,
                            .kaslr_seed = UINT64_C(0x0123456789abcdef),
                        });
  g_autoptr(GBytes) tree = finish(fdt);
  fake_assert_string(tree, "/chosen", "bootargs", "console=ttyAMA0 quiet");
  g_autofree char *bootargs = fdt_bootargs(tree);
  g_assert_cmpstr(bootargs, ==, "console=ttyAMA0 quiet");
  fake_assert_string(tree, "/chosen", "stdout-path", "/pl011@9000000");
  fake_assert_cells(tree, "/chosen", "linux,initrd-start", 0x7, 0xfffff000);
  fake_assert_cells(tree, "/chosen", "linux,initrd-end", 0x8, 0x234);
  fake_assert_property(tree, "/chosen", "rng-seed", seed, sizeof seed);
  fake_assert_cells(tree, "/chosen", "kaslr-seed", 0x01234567, 0x89abcdef);
}

static void test_move_initrd(void) {
  static const uint64_t starts[] = {0x48000000, UINT64_C(0x9876543210000)};
  GBytes *trees[2];

  for (unsigned i = 0; i < 2; i++) {
    g_autoptr(FdtWriter) fdt = fdt_writer_new();
    fdt_write_root(fdt);
    fdt_write_chosen(fdt, &(FdtChosen){.bootargs = "quiet", .initrd_start = starts[i], .initrd_size = 0x1234 + i, .kaslr_seed = 1});
    trees[i] = finish(fdt);
  }
  trees[0] = fdt_move_initrd(trees[0], starts[1], 0x1235);
  g_assert_true(g_bytes_equal(trees[0], trees[1]));
  g_bytes_unref(trees[0]);
  g_bytes_unref(trees[1]);
}

static GBytes *stub(uint64_t system_table, uint64_t map, uint32_t map_size) {
  const FdtChosen chosen = {
      .bootargs = "quiet",
      .efi_system_table = system_table,
      .efi_map = map,
      .efi_map_size = map_size,
      .efi_descriptor_size = 40,
      .efi_descriptor_version = 1,
  };
  g_autoptr(FdtWriter) fdt = fdt_writer_new();

  fdt_write_stub_root(fdt);
  fdt_write_chosen(fdt, &chosen);
  return finish(fdt);
}

/* Linux takes ACPI where the tree has no node but this one: arch/arm64/kernel/acpi.c, dt_is_stub. */
static void test_stub(void) {
  g_autoptr(GBytes) tree = stub(UINT64_C(0x140000040), UINT64_C(0x140000080), 120);
  const void *blob = g_bytes_get_data(tree, NULL);

  fake_assert_cells(tree, "/chosen", "linux,uefi-system-table", 1, 0x40000040);
  fake_assert_cells(tree, "/chosen", "linux,uefi-mmap-start", 1, 0x40000080);
  fake_assert_cells(tree, "/chosen", "linux,uefi-mmap-size", 120);
  fake_assert_cells(tree, "/chosen", "linux,uefi-mmap-desc-size", 40);
  fake_assert_cells(tree, "/chosen", "linux,uefi-mmap-desc-ver", 1);
  fake_assert_cells(tree, "/chosen", "linux,uefi-secure-boot", 2);
  int first = fdt_first_subnode(blob, 0);
  g_assert_cmpstr(fdt_get_name(blob, first, NULL), ==, "chosen");
  g_assert_cmpint(fdt_next_subnode(blob, first), <, 0);
}

static void test_move_efi(void) {
  g_autoptr(GBytes) wanted = stub(UINT64_C(0x140000040), UINT64_C(0x140000080), 80);
  g_autoptr(GBytes) moved = fdt_move_efi(stub(1, 2, 120), UINT64_C(0x140000040), UINT64_C(0x140000080), 80);

  g_assert_true(g_bytes_equal(moved, wanted));
}

static void test_chosen_bare(void) {
  g_autoptr(FdtWriter) fdt = fdt_writer_new();

  fdt_write_chosen(fdt, &(FdtChosen){.bootargs = "", .initrd_start = 0x1000, .rng_seed_size = 32});
  g_autoptr(GBytes) tree = finish(fdt);
  fake_assert_string(tree, "/chosen", "bootargs", "");
  g_autofree char *bootargs = fdt_bootargs(tree);
  g_assert_cmpstr(bootargs, ==, "");
  g_assert_false(has_property(tree, "/chosen", "stdout-path"));
  g_assert_false(has_property(tree, "/chosen", "linux,initrd-start"));
  g_assert_false(has_property(tree, "/chosen", "linux,initrd-end"));
  g_assert_false(has_property(tree, "/chosen", "linux,uefi-system-table"));
  g_assert_false(has_property(tree, "/chosen", "rng-seed"));
  g_assert_false(has_property(tree, "/chosen", "kaslr-seed"));
}

static uint64_t near_mpidr(unsigned index) {
  return (index & 0xf) | (index >> 4) << 8;
}

static uint64_t far_mpidr(unsigned index) {
  return (uint64_t)index << 32 | 5;
}

static void test_cpus(void) {
  enum { N = 40 };
  g_autoptr(FdtWriter) fdt = fdt_writer_new();

  fdt_write_cpus(fdt, &(FdtCpus){.n_cpus = N, .mpidr = near_mpidr});
  g_autoptr(GBytes) tree = finish(fdt);
  fake_assert_cells(tree, "/cpus", "#address-cells", 1);
  fake_assert_cells(tree, "/cpus", "#size-cells", 0);
  for (unsigned i = 0; i < N; i++) {
    g_autofree char *path = g_strdup_printf("/cpus/cpu@%x", (unsigned)near_mpidr(i));
    fake_assert_string(tree, path, "device_type", "cpu");
    fake_assert_string(tree, path, "compatible", "arm,armv8");
    fake_assert_string(tree, path, "enable-method", "psci");
    fake_assert_cells(tree, path, "reg", (uint32_t)near_mpidr(i));
    fake_assert_cells(tree, path, "phandle", FDT_PHANDLE_CPU0 + i);
    g_assert_false(has_property(tree, path, "next-level-cache"));
  }
  g_assert_true(has_node(tree, "/cpus/cpu@207"));
  g_assert_false(has_node(tree, "/cpus/cpu@208"));
  g_assert_false(has_node(tree, "/cpus/l2-cache"));
}

/* Aff3 lies in bits 39:32: then every CPU has two cells. */
static void test_cpus_with_aff3(void) {
  g_autoptr(FdtWriter) fdt = fdt_writer_new();

  fdt_write_cpus(fdt, &(FdtCpus){.n_cpus = 2, .mpidr = far_mpidr});
  g_autoptr(GBytes) tree = finish(fdt);
  fake_assert_cells(tree, "/cpus", "#address-cells", 2);
  fake_assert_cells(tree, "/cpus/cpu@5", "reg", 0, 5);
  fake_assert_cells(tree, "/cpus/cpu@100000005", "reg", 1, 5);
}

/* CLIDR_EL1 of a CPU with split first, unified second and third level. */
static void test_caches(void) {
  g_autoptr(FdtWriter) fdt = fdt_writer_new();

  fdt_write_cpus(fdt, &(FdtCpus){.n_cpus = 2, .mpidr = near_mpidr, .clidr = 3 | 4 << 3 | 4 << 6});
  g_autoptr(GBytes) tree = finish(fdt);
  for (unsigned i = 0; i < 2; i++) {
    g_autofree char *path = g_strdup_printf("/cpus/cpu@%u", i);
    fake_assert_cells(tree, path, "i-cache-size", 0);
    fake_assert_cells(tree, path, "d-cache-size", 0);
    fake_assert_cells(tree, path, "next-level-cache", FDT_PHANDLE_CACHE + 2);
  }
  fake_assert_string(tree, "/cpus/l2-cache", "compatible", "cache");
  fake_assert_cells(tree, "/cpus/l2-cache", "cache-level", 2);
  fake_assert_flag(tree, "/cpus/l2-cache", "cache-unified");
  fake_assert_cells(tree, "/cpus/l2-cache", "phandle", FDT_PHANDLE_CACHE + 2);
  fake_assert_cells(tree, "/cpus/l2-cache", "next-level-cache", FDT_PHANDLE_CACHE + 3);
  fake_assert_cells(tree, "/cpus/l3-cache", "cache-level", 3);
  g_assert_false(has_property(tree, "/cpus/l3-cache", "next-level-cache"));
  g_assert_false(has_node(tree, "/cpus/l4-cache"));
}

/* Each kind of first-level cache, and nothing above it. */
static void test_cache_kinds(void) {
  for (unsigned kind = 0; kind <= 4; kind++) {
    g_autoptr(FdtWriter) fdt = fdt_writer_new();
    fdt_write_cpus(fdt, &(FdtCpus){.n_cpus = 1, .mpidr = near_mpidr, .clidr = kind});
    g_autoptr(GBytes) tree = finish(fdt);
    g_assert_cmpint(has_property(tree, "/cpus/cpu@0", "i-cache-size"), ==, kind == 1 || kind == 3);
    g_assert_cmpint(has_property(tree, "/cpus/cpu@0", "d-cache-size"), ==, kind == 2 || kind == 3);
    g_assert_cmpint(has_property(tree, "/cpus/cpu@0", "cache-unified"), ==, kind == 4);
    g_assert_false(has_property(tree, "/cpus/cpu@0", "next-level-cache"));
    g_assert_false(has_node(tree, "/cpus/l2-cache"));
  }
}

/* Two levels: the second is the last. */
static void test_caches_two_levels(void) {
  g_autoptr(FdtWriter) fdt = fdt_writer_new();

  fdt_write_cpus(fdt, &(FdtCpus){.n_cpus = 1, .mpidr = near_mpidr, .clidr = 3 | 4 << 3});
  g_autoptr(GBytes) tree = finish(fdt);
  fake_assert_cells(tree, "/cpus/cpu@0", "next-level-cache", FDT_PHANDLE_CACHE + 2);
  g_assert_false(has_property(tree, "/cpus/l2-cache", "next-level-cache"));
  g_assert_false(has_node(tree, "/cpus/l3-cache"));
}

/* Whatever a register holds, levels end at the seventh. */
static void test_caches_all_levels(void) {
  g_autoptr(FdtWriter) fdt = fdt_writer_new();

  fdt_write_cpus(fdt, &(FdtCpus){.n_cpus = 1, .mpidr = near_mpidr, .clidr = UINT64_MAX});
  g_autoptr(GBytes) tree = finish(fdt);
  g_assert_true(has_node(tree, "/cpus/l7-cache"));
  g_assert_false(has_property(tree, "/cpus/l7-cache", "next-level-cache"));
  g_assert_false(has_node(tree, "/cpus/l8-cache"));
}

static void test_memory(void) {
  static const FdtRange ranges[] = {{UINT64_C(0x40000000), UINT64_C(0x20000000)}, {UINT64_C(0x8000000000), UINT64_C(0x100000000)}};
  g_autoptr(FdtWriter) fdt = fdt_writer_new();

  fdt_write_memory(fdt, ranges, G_N_ELEMENTS(ranges));
  g_autoptr(GBytes) tree = finish(fdt);
  fake_assert_string(tree, "/memory@40000000", "device_type", "memory");
  fake_assert_cells(tree, "/memory@40000000", "reg", 0, 0x40000000, 0, 0x20000000, 0x80, 0, 1, 0);
}

static void test_psci(void) {
  static const char *const methods[] = {"hvc", "smc"};

  for (unsigned i = 0; i < G_N_ELEMENTS(methods); i++) {
    g_autoptr(FdtWriter) fdt = fdt_writer_new();
    fdt_write_psci(fdt, methods[i]);
    g_autoptr(GBytes) tree = finish(fdt);
    fake_assert_string(tree, "/psci", "compatible", "arm,psci-1.0\0arm,psci-0.2");
    fake_assert_property(tree, "/psci", "method", methods[i], 4);
  }
}

static void test_timer(void) {
  static const struct {
    bool hyp_virtual;
    unsigned gicv2_cpus;
    uint32_t flags;
  } cases[] = {
      {false, 0, 4}, {true, 0, 4}, {false, 1, 0x104}, {false, 3, 0x704}, {true, 4, 0xf04}, {false, 8, 0xff04},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    uint32_t flags = cases[i].flags;
    g_autoptr(FdtWriter) fdt = fdt_writer_new();
    fdt_write_timer(fdt, cases[i].hyp_virtual, cases[i].gicv2_cpus);
    g_autoptr(GBytes) tree = finish(fdt);
    fake_assert_string(tree, "/timer", "compatible", "arm,armv8-timer");
    fake_assert_flag(tree, "/timer", "always-on");
    if (cases[i].hyp_virtual)
      fake_assert_cells(tree, "/timer", "interrupts", 1, 13, flags, 1, 14, flags, 1, 11, flags, 1, 10, flags, 1, 12, flags);
    else
      fake_assert_cells(tree, "/timer", "interrupts", 1, 13, flags, 1, 14, flags, 1, 11, flags, 1, 10, flags);
  }
}

static void test_pmu(void) {
  static const unsigned gicv2_cpus[] = {0, 1, 8}, flags[] = {4, 0x104, 0xff04};

  for (unsigned i = 0; i < G_N_ELEMENTS(flags); i++) {
    g_autoptr(FdtWriter) fdt = fdt_writer_new();
    fdt_write_pmu(fdt, 7, gicv2_cpus[i]);
    g_autoptr(GBytes) tree = finish(fdt);
    fake_assert_string(tree, "/pmu", "compatible", "arm,armv8-pmuv3");
    fake_assert_cells(tree, "/pmu", "interrupts", 1, 7, flags[i]);
  }
}

static const FdtGicV3 full_gicv3 = {
    .distributor = {0x8000000, 0x10000},
    .redistributors = {{0x80a0000, 0xf60000}, {UINT64_C(0x4000000000), 0x4000000}},
    .its = {0x8080000, 0x20000},
    .maintenance_ppi = 9,
};

static void assert_interrupt_controller(GBytes *tree) {
  const char *path = "/interrupt-controller@8000000";

  fake_assert_flag(tree, path, "interrupt-controller");
  fake_assert_cells(tree, path, "#interrupt-cells", 3);
  fake_assert_cells(tree, path, "#address-cells", 2);
  fake_assert_cells(tree, path, "#size-cells", 2);
  fake_assert_flag(tree, path, "ranges");
  fake_assert_cells(tree, path, "phandle", FDT_PHANDLE_GIC);
}

static void test_gicv3(void) {
  const char *path = "/interrupt-controller@8000000", *its = "/interrupt-controller@8000000/msi-controller@8080000";
  g_autoptr(FdtWriter) fdt = fdt_writer_new();

  fdt_write_gicv3(fdt, &full_gicv3);
  g_autoptr(GBytes) tree = finish(fdt);
  assert_interrupt_controller(tree);
  fake_assert_string(tree, path, "compatible", "arm,gic-v3");
  fake_assert_cells(tree, path, "#redistributor-regions", 2);
  fake_assert_cells(tree, path, "reg", 0, 0x8000000, 0, 0x10000, 0, 0x80a0000, 0, 0xf60000, 0x40, 0, 0, 0x4000000);
  fake_assert_cells(tree, path, "interrupts", 1, 9, 4);
  fake_assert_string(tree, its, "compatible", "arm,gic-v3-its");
  fake_assert_flag(tree, its, "msi-controller");
  fake_assert_cells(tree, its, "#msi-cells", 1);
  fake_assert_cells(tree, its, "reg", 0, 0x8080000, 0, 0x20000);
  fake_assert_cells(tree, its, "phandle", FDT_PHANDLE_MSI);
}

static void test_gicv3_bare(void) {
  const char *path = "/interrupt-controller@8000000";
  g_autoptr(FdtWriter) fdt = fdt_writer_new();

  fdt_write_gicv3(fdt, &(FdtGicV3){.distributor = {0x8000000, 0x10000}, .redistributors = {{0x80a0000, 0x20000}}, .maintenance_ppi = -1});
  g_autoptr(GBytes) tree = finish(fdt);
  assert_interrupt_controller(tree);
  fake_assert_cells(tree, path, "#redistributor-regions", 1);
  fake_assert_cells(tree, path, "reg", 0, 0x8000000, 0, 0x10000, 0, 0x80a0000, 0, 0x20000);
  g_assert_false(has_property(tree, path, "interrupts"));
  g_assert_false(has_node(tree, "/interrupt-controller@8000000/msi-controller@8080000"));
}

static const FdtGicV2 full_gicv2 = {
    .distributor = {0x8000000, 0x10000}, .cpu_interface = {0x8010000, 0x10000}, .msi_frame = {0x8020000, 0x1000}};

static void test_gicv2(void) {
  const char *path = "/interrupt-controller@8000000", *frame = "/interrupt-controller@8000000/v2m@8020000";
  g_autoptr(FdtWriter) fdt = fdt_writer_new(), bare = fdt_writer_new();
  FdtGicV2 without = full_gicv2;

  fdt_write_gicv2(fdt, &full_gicv2);
  g_autoptr(GBytes) tree = finish(fdt);
  assert_interrupt_controller(tree);
  fake_assert_string(tree, path, "compatible", "arm,cortex-a15-gic");
  fake_assert_cells(tree, path, "reg", 0, 0x8000000, 0, 0x10000, 0, 0x8010000, 0, 0x10000);
  g_assert_false(has_property(tree, path, "#redistributor-regions"));
  fake_assert_string(tree, frame, "compatible", "arm,gic-v2m-frame");
  fake_assert_flag(tree, frame, "msi-controller");
  fake_assert_cells(tree, frame, "reg", 0, 0x8020000, 0, 0x1000);
  fake_assert_cells(tree, frame, "phandle", FDT_PHANDLE_MSI);

  without.msi_frame.size = 0;
  fdt_write_gicv2(bare, &without);
  g_autoptr(GBytes) bare_tree = finish(bare);
  assert_interrupt_controller(bare_tree);
  g_assert_false(has_node(bare_tree, frame));
}

static void test_apb_clock(void) {
  g_autoptr(FdtWriter) fdt = fdt_writer_new();

  fdt_write_apb_clock(fdt);
  g_autoptr(GBytes) tree = finish(fdt);
  fake_assert_string(tree, "/apb-pclk", "compatible", "fixed-clock");
  fake_assert_cells(tree, "/apb-pclk", "#clock-cells", 0);
  fake_assert_cells(tree, "/apb-pclk", "clock-frequency", 24000000);
  fake_assert_string(tree, "/apb-pclk", "clock-output-names", "clk24mhz");
  fake_assert_cells(tree, "/apb-pclk", "phandle", FDT_PHANDLE_APB_CLOCK);
}

/* A tree of all nodes, with the most each can say. */
static GBytes *whole_tree(bool gicv3) {
  static const FdtRange ram[] = {{0x40000000, 0x20000000}};
  static const uint8_t seed[32] = {1, 2, 3};
  g_autoptr(FdtWriter) fdt = fdt_writer_new();

  fdt_write_root(fdt);
  fdt_write_hypervisor(fdt);
  fdt_write_chosen(fdt, &(FdtChosen){.bootargs = "quiet",
                                     .stdout_path = "/psci",
                                     .initrd_start = 0x48000000,
                                     .initrd_size = 0x1000,
                                     .rng_seed = seed,
                                     .rng_seed_size = sizeof seed,
                                     .kaslr_seed = 1});
  fdt_write_cpus(fdt, &(FdtCpus){.n_cpus = 4, .mpidr = gicv3 ? far_mpidr : near_mpidr, .clidr = 3 | 4 << 3 | 4 << 6});
  fdt_write_memory(fdt, ram, G_N_ELEMENTS(ram));
  fdt_write_psci(fdt, "hvc");
  fdt_write_timer(fdt, true, gicv3 ? 0 : 4);
  if (gicv3)
    fdt_write_gicv3(fdt, &full_gicv3);
  else
    fdt_write_gicv2(fdt, &full_gicv2);
  fdt_write_apb_clock(fdt);
  return finish(fdt);
}

/* dtc reads the tree back and has nothing to say about it. */
static void test_dtc(void) {
  g_autofree char *dtc = g_find_program_in_path("dtc");

  if (!dtc) {
    g_test_skip("dtc is not installed (package device-tree-compiler)");
    return;
  }
  for (unsigned gicv3 = 0; gicv3 < 2; gicv3++) {
    g_autoptr(GBytes) tree = whole_tree(gicv3), text = NULL, complaints = NULL;
    g_autoptr(GError) error = NULL;
    g_autoptr(GSubprocess) process =
        g_subprocess_new(G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_PIPE, &error, dtc, "-I",
                         "dtb", "-O", "dts", "-", NULL);
    g_assert_no_error(error);
    g_assert_true(g_subprocess_communicate(process, tree, NULL, &text, &complaints, &error));
    g_assert_no_error(error);
    g_assert_cmpmem(g_bytes_get_data(complaints, NULL), g_bytes_get_size(complaints), "", 0);
    g_assert_true(g_subprocess_get_successful(process));
    g_assert_cmpuint(g_bytes_get_size(text), >, 1000);
  }
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/fdt-nodes/root", test_root);
  g_test_add_func("/fdt-nodes/identity", test_identity);
  g_test_add_func("/fdt-nodes/hypervisor", test_hypervisor);
  g_test_add_func("/fdt-nodes/chosen-full", test_chosen_full);
  g_test_add_func("/fdt-nodes/chosen-moved", test_move_initrd);
  g_test_add_func("/fdt-nodes/chosen-bare", test_chosen_bare);
  g_test_add_func("/fdt-nodes/stub", test_stub);
  g_test_add_func("/fdt-nodes/efi-moved", test_move_efi);
  g_test_add_func("/fdt-nodes/cpus", test_cpus);
  g_test_add_func("/fdt-nodes/cpus-with-aff3", test_cpus_with_aff3);
  g_test_add_func("/fdt-nodes/caches", test_caches);
  g_test_add_func("/fdt-nodes/cache-kinds", test_cache_kinds);
  g_test_add_func("/fdt-nodes/caches-two-levels", test_caches_two_levels);
  g_test_add_func("/fdt-nodes/caches-all-levels", test_caches_all_levels);
  g_test_add_func("/fdt-nodes/memory", test_memory);
  g_test_add_func("/fdt-nodes/psci", test_psci);
  g_test_add_func("/fdt-nodes/timer", test_timer);
  g_test_add_func("/fdt-nodes/pmu", test_pmu);
  g_test_add_func("/fdt-nodes/gicv3", test_gicv3);
  g_test_add_func("/fdt-nodes/gicv3-bare", test_gicv3_bare);
  g_test_add_func("/fdt-nodes/gicv2", test_gicv2);
  g_test_add_func("/fdt-nodes/apb-clock", test_apb_clock);
  g_test_add_func("/fdt-nodes/dtc", test_dtc);
  return g_test_run();
}
