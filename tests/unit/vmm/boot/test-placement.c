/* SPDX-License-Identifier: Apache-2.0 */
/* Placement: exact places, the boot protocol's rules over many random sizes, and the numbers in the errors. */
#include <string.h>

#include "vmm/boot/kernel-formats.h"

#define MIB      0x100000ull
#define GIB      (MIB << 10)
#define RAM_BASE 0x40000000ull

static KernelImage *image_new(uint64_t text_offset, uint64_t image_size, bool linux_image) {
  static const uint8_t byte;
  g_autoptr(GBytes) contents = g_bytes_new_static(&byte, 1);
  KernelImage *image = kernel_image_new("test", contents);
  image->linux_image = linux_image;
  image->relocatable = true;
  image->alignment = KERNEL_BASE_ALIGNMENT;
  image->text_offset = text_offset;
  image->image_size = image_size;
  image->entry = text_offset;
  kernel_image_add_segment(image, text_offset, &byte, 1, image_size);
  return image;
}

static KernelImage *elf_new(uint64_t address, uint64_t size) {
  KernelImage *image = image_new(0, size, false);
  image->relocatable = false;
  image->entry = address;
  g_array_index(image->segments, KernelSegment, 0).address = address;
  return image;
}

static BootPlacement place(const KernelImage *image, uint64_t ram_size, uint64_t initrd_size, uint64_t fdt_size) {
  BootPlacement placement = {0};
  g_autoptr(GError) error = NULL;
  bool placed = boot_place(image, RAM_BASE, ram_size, initrd_size, fdt_size, &placement, &error);
  g_assert_no_error(error);
  g_assert_true(placed);
  return placement;
}

static void assert_refused(const KernelImage *image, uint64_t ram_size, uint64_t initrd_size, uint64_t fdt_size, const char *text) {
  BootPlacement placement = {.entry = 4711};
  g_autoptr(GError) error = NULL;
  g_assert_false(boot_place(image, RAM_BASE, ram_size, initrd_size, fdt_size, &placement, &error));
  g_assert_error(error, KERNEL_ERROR, KERNEL_ERROR_PLACEMENT);
  if (!strstr(error->message, text))
    g_error("\"%s\" is not in \"%s\"", text, error->message);
  g_assert_cmpuint(placement.entry, ==, 4711); /* untouched */
}

static void test_firmware(void) {
  BootPlacement placement;
  g_autoptr(GError) error = NULL;

  g_assert_true(boot_place_firmware(0, RAM_BASE, 16 * MIB, 0x4321, &placement, &error));
  g_assert_cmphex(placement.entry, ==, 0);
  g_assert_cmphex(placement.x0, ==, 0);
  g_assert_cmphex(placement.fdt_start, ==, RAM_BASE);
  g_assert_cmphex(placement.fdt_size, ==, 0x4321);
  g_assert_cmphex(placement.kernel_size | placement.initrd_size | placement.fdt_copy_start, ==, 0);
  g_assert_false(boot_place_firmware(0, RAM_BASE, 16 * MIB, BOOT_FDT_MAX + 1, &placement, &error));
  g_assert_error(error, KERNEL_ERROR, KERNEL_ERROR_PLACEMENT);
}

static void test_linux(void) {
  g_autoptr(KernelImage) image = image_new(0, 35 * MIB + 1, true);
  BootPlacement placement = place(image, 512 * MIB, 10 * MIB + 1, 0x4321);
  g_assert_cmphex(placement.kernel_base, ==, RAM_BASE);
  g_assert_cmphex(placement.kernel_start, ==, RAM_BASE);
  g_assert_cmphex(placement.kernel_size, ==, 35 * MIB + 1);
  g_assert_cmphex(placement.entry, ==, RAM_BASE);
  g_assert_cmphex(placement.fdt_start, ==, RAM_BASE + 36 * MIB);
  g_assert_cmphex(placement.x0, ==, placement.fdt_start);
  g_assert_cmphex(placement.fdt_size, ==, 0x4321);
  g_assert_cmphex(placement.initrd_start, ==, RAM_BASE + 36 * MIB + 0x10000);
  g_assert_cmphex(placement.initrd_size, ==, 10 * MIB + 1);
}

static void test_text_offset(void) {
  g_autoptr(KernelImage) image = image_new(0x80000, 2 * MIB, true);
  BootPlacement placement = place(image, 16 * MIB, 0, 0x1000);
  g_assert_cmphex(placement.kernel_base, ==, RAM_BASE);
  g_assert_cmphex(placement.kernel_start, ==, RAM_BASE + 0x80000);
  g_assert_cmphex(placement.entry, ==, RAM_BASE + 0x80000);
  g_assert_cmphex(placement.fdt_start, ==, RAM_BASE + 4 * MIB);
  g_assert_cmphex(placement.initrd_start, ==, 0);
  g_assert_cmphex(placement.initrd_size, ==, 0);
}

/* RAM that does not begin on 2 MiB: the base moves up. */
static void test_unaligned_ram(void) {
  g_autoptr(KernelImage) image = image_new(0, MIB, true);
  BootPlacement placement;
  g_assert_true(boot_place(image, RAM_BASE + 0x1000, 16 * MIB, 0, 0x1000, &placement, NULL));
  g_assert_cmphex(placement.kernel_start, ==, RAM_BASE + 2 * MIB);
}

/* Half of RAM is for the program: what it zeroes and what it takes for a stack, its file does not tell. */
static void test_raw(void) {
  g_autoptr(KernelImage) image = image_new(0x80000, 100, false);
  BootPlacement placement = place(image, 16 * MIB, 12345, 0x80000);
  g_assert_cmphex(placement.entry, ==, RAM_BASE + 0x80000);
  g_assert_cmphex(placement.fdt_start, ==, RAM_BASE + 8 * MIB);
  g_assert_cmphex(placement.fdt_copy_start, ==, RAM_BASE);
  g_assert_cmphex(placement.initrd_start, ==, RAM_BASE + 8 * MIB + 0x80000);
  /* A byte more, and the copy no longer fits below the program. */
  placement = place(image, 16 * MIB, 0, 0x80001);
  g_assert_cmphex(placement.fdt_start, ==, RAM_BASE + 8 * MIB);
  g_assert_cmphex(placement.fdt_copy_start, ==, 0);
}

/* 128 MiB are enough, however much RAM there is. Half of an odd number of MiB is rounded up. */
static void test_raw_room(void) {
  static const struct {
    uint64_t ram_size, fdt_start;
  } rooms[] = {{16 * MIB, 8 * MIB},    {17 * MIB, 10 * MIB}, {64 * MIB, 32 * MIB},  {255 * MIB, 128 * MIB},
               {256 * MIB, 128 * MIB}, {GIB, 128 * MIB},     {100 * GIB, 128 * MIB}};
  g_autoptr(KernelImage) image = image_new(0x80000, MIB, false);
  for (unsigned i = 0; i < G_N_ELEMENTS(rooms); i++) {
    BootPlacement placement = place(image, rooms[i].ram_size, 0x1000, 0x1000);
    g_assert_cmphex(placement.fdt_start, ==, RAM_BASE + rooms[i].fdt_start);
    g_assert_cmphex(placement.initrd_start, ==, RAM_BASE + rooms[i].fdt_start + 0x10000);
    g_assert_cmphex(placement.fdt_copy_start, ==, RAM_BASE);
  }
}

/* What does not fit above half of RAM moves down, and no further than it must. */
static void test_raw_huge_initrd(void) {
  g_autoptr(KernelImage) image = image_new(0x80000, MIB, false);
  BootPlacement placement = place(image, 64 * MIB, 50 * MIB, 0x1000);
  g_assert_cmphex(placement.fdt_start, ==, RAM_BASE + 12 * MIB);
  g_assert_cmphex(placement.initrd_start, ==, RAM_BASE + 12 * MIB + 0x10000);
  g_assert_cmphex(placement.fdt_copy_start, ==, RAM_BASE);
  assert_refused(image, 64 * MIB, 63 * MIB, 0x1000,
                 "the kernel and its initrd (63 MiB) need at least 66 MiB of memory, the machine has 64 MiB; try --memory 128M");
  place(image, 66 * MIB, 63 * MIB, 0x1000);
  /* A program that fills memory: below it there is still room for the tree, which then is its own copy. */
  g_autoptr(KernelImage) large = image_new(0x80000, 15 * MIB, false);
  placement = place(large, 16 * MIB, 0, 0x1000);
  g_assert_cmphex(placement.fdt_start, ==, RAM_BASE);
  g_assert_cmphex(placement.fdt_copy_start, ==, 0);
  assert_refused(large, 15 * MIB, 0, 0x1000, "needs at least 16 MiB");
}

static void test_elf(void) {
  g_autoptr(KernelImage) low = elf_new(RAM_BASE, 0x5000);
  BootPlacement placement = place(low, 16 * MIB, 0, 0x1000);
  g_assert_cmphex(placement.kernel_base, ==, 0);
  g_assert_cmphex(placement.kernel_start, ==, RAM_BASE);
  g_assert_cmphex(placement.fdt_start, ==, RAM_BASE + 8 * MIB);
  g_assert_cmphex(placement.fdt_copy_start, ==, 0);
  g_assert_cmphex(placement.entry, ==, RAM_BASE);

  /* It lies where tree and initrd would: they go behind it. */
  g_autoptr(KernelImage) high = elf_new(RAM_BASE + 8 * MIB, 0x5000);
  placement = place(high, 16 * MIB, 0x1000, 0x1000);
  g_assert_cmphex(placement.fdt_start, ==, RAM_BASE + 10 * MIB);
  g_assert_cmphex(placement.fdt_copy_start, ==, RAM_BASE);
  g_assert_cmphex(placement.initrd_start, ==, RAM_BASE + 10 * MIB + 0x10000);

  /* At the end of memory: before it. */
  g_autoptr(KernelImage) last = elf_new(RAM_BASE + 14 * MIB, 2 * MIB);
  placement = place(last, 16 * MIB, 0x1000, 0x1000);
  g_assert_cmphex(placement.fdt_start, ==, RAM_BASE + 8 * MIB);
  placement = place(last, 16 * MIB, 11 * MIB, 0x1000);
  g_assert_cmphex(placement.fdt_start, ==, RAM_BASE + 2 * MIB);
  g_assert_cmphex(placement.fdt_copy_start, ==, RAM_BASE);
  placement = place(last, 16 * MIB, 13 * MIB, 0x1000);
  g_assert_cmphex(placement.fdt_start, ==, RAM_BASE);
  g_assert_cmphex(placement.fdt_copy_start, ==, 0);

  g_autoptr(KernelImage) below = elf_new(0x400000, 0x5000);
  assert_refused(below, 16 * MIB, 0, 0x1000, "linked to 0x400000, below the start of memory: link it to 0x40080000");
  g_autoptr(KernelImage) beyond = elf_new(RAM_BASE + 100 * MIB, 0x5000);
  assert_refused(beyond, 64 * MIB, 0, 0x1000, "needs at least 101 MiB of memory, the machine has 64 MiB; try --memory 128M");
  g_autoptr(KernelImage) far = elf_new(1ull << 50, 0x5000);
  assert_refused(far, 64 * MIB, 0, 0x1000, "MiB of memory, the machine has 64 MiB; no machine has so much: --memory takes at most 4T");
}

/* kernel 35 MiB + 4 KiB of device tree at 36 MiB + initrd of 8 MiB at 36 MiB + 64 KiB: 44 MiB + 64 KiB. */
static void test_too_little(void) {
  g_autoptr(KernelImage) image = image_new(0, 35 * MIB, true);
  assert_refused(image, 32 * MIB, 8 * MIB, 0x1000,
                 "the kernel and its initrd (8 MiB) need at least 45 MiB of memory, the machine has 32 MiB; try --memory 64M");
  assert_refused(image, 32 * MIB, 0, 0x1000, "the kernel needs at least 37 MiB of memory, the machine has 32 MiB; try --memory 64M");
  assert_refused(image, 0, 0, 0x1000, "the machine has 0 MiB");
  place(image, 44 * MIB + 0x10000, 8 * MIB, 0x1000);
  assert_refused(image, 44 * MIB + 0xffff, 8 * MIB, 0x1000, "at least 45 MiB");
  assert_refused(image, 2 * GIB, 2 * GIB, 0x1000, "try --memory 3G");
  assert_refused(image, 900 * MIB, 900 * MIB, 0x1000, "try --memory 1G");
  g_autoptr(KernelImage) tiny = image_new(0, MIB, true);
  assert_refused(tiny, MIB, 0, 0x1000, "try --memory 16M"); /* less is not to be had */
}

static void test_window(void) {
  g_autoptr(KernelImage) image = image_new(0, 30 * MIB, true);
  place(image, 64 * GIB, 31 * GIB, 0x1000);
  assert_refused(image, 64 * GIB, 32 * GIB, 0x1000, "more than the boot protocol can place");
}

static void test_nonsense(void) {
  g_autoptr(KernelImage) image = image_new(0, 30 * MIB, true);
  assert_refused(image, GIB, 0, BOOT_FDT_MAX + 1, "the boot protocol allows");
  assert_refused(image, GIB, UINT64_MAX, 0x1000, "do not fit into any memory");
  assert_refused(image, GIB, UINT64_MAX - RAM_BASE, 0x1000, "do not fit into any memory");
  image->image_size = UINT64_MAX;
  assert_refused(image, GIB, 0, 0x1000, "do not fit into any memory");
  image->image_size = UINT64_MAX - RAM_BASE;
  assert_refused(image, GIB, 0, 0x1000, "do not fit into any memory");
}

static bool apart(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size) {
  return !a_size || !b_size || a + a_size <= b || b + b_size <= a;
}

static bool inside(uint64_t start, uint64_t size, uint64_t ram_size) {
  return size == 0 || (start >= RAM_BASE && start - RAM_BASE + size <= ram_size);
}

static void assert_rules(const KernelImage *image, const BootPlacement *p, uint64_t ram_size) {
  g_assert_true(inside(p->kernel_start, p->kernel_size, ram_size));
  g_assert_true(inside(p->initrd_start, p->initrd_size, ram_size));
  g_assert_true(inside(p->fdt_start, p->fdt_size, ram_size));
  if (p->fdt_copy_start) {
    g_assert_cmphex(p->fdt_copy_start, ==, RAM_BASE);
    g_assert_true(apart(p->kernel_start, p->kernel_size, p->fdt_copy_start, p->fdt_size));
    g_assert_true(apart(p->initrd_start, p->initrd_size, p->fdt_copy_start, p->fdt_size));
    g_assert_true(apart(p->fdt_start, p->fdt_size, p->fdt_copy_start, p->fdt_size));
  }
  g_assert_true(apart(p->kernel_start, p->kernel_size, p->initrd_start, p->initrd_size));
  g_assert_true(apart(p->kernel_start, p->kernel_size, p->fdt_start, p->fdt_size));
  g_assert_true(apart(p->initrd_start, p->initrd_size, p->fdt_start, p->fdt_size));
  g_assert_cmphex(p->kernel_start, ==, p->kernel_base + image->text_offset);
  g_assert_cmphex(p->kernel_base % (2 * MIB), ==, 0);
  g_assert_cmphex(p->fdt_start % 8, ==, 0);
  g_assert_cmphex(p->initrd_start % 0x1000, ==, 0);
  if (p->fdt_size)
    g_assert_cmphex(p->fdt_start / (2 * MIB), ==, (p->fdt_start + p->fdt_size - 1) / (2 * MIB));
  if (p->initrd_size && image->linux_image)
    g_assert_cmphex(p->initrd_start + p->initrd_size - p->kernel_start / GIB * GIB, <=, 32 * GIB);
}

/* The number that an error names is enough, and a MiB less is not. */
static void assert_named_need(const KernelImage *image, const GError *error, uint64_t initrd_size, uint64_t fdt_size) {
  const char *number = strstr(error->message, "at least ");
  g_assert_nonnull(number);
  uint64_t needed = g_ascii_strtoull(number + strlen("at least "), NULL, 10) * MIB;
  BootPlacement placement;
  g_assert_true(boot_place(image, RAM_BASE, needed, initrd_size, fdt_size, &placement, NULL));
  g_assert_false(boot_place(image, RAM_BASE, needed - MIB, initrd_size, fdt_size, &placement, NULL));
}

/* Tables are above all else, however it lies; the number in the error is enough for them too. */
static void test_tables(void) {
  static const struct {
    bool linux_image;
    uint64_t initrd_size;
  } cases[] = {{true, 10 * MIB}, {true, 0}, {false, 10 * MIB}, {false, 0}};

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(KernelImage) image = image_new(0, 5 * MIB + 1, cases[i].linux_image);
    BootPlacement placement = place(image, 64 * MIB, cases[i].initrd_size, 0x4321), before = placement;
    g_autoptr(GError) error = NULL;
    g_assert_true(boot_place_tables(&placement, RAM_BASE, 64 * MIB, 0x20000, 0x10000, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(placement.tables_start % 0x10000, ==, 0);
    g_assert_cmpuint(placement.tables_size, ==, 0x20000);
    g_assert_cmphex(placement.tables_start, >=, placement.kernel_start + placement.kernel_size);
    g_assert_cmphex(placement.tables_start, >=, placement.fdt_start + placement.fdt_size);
    g_assert_cmphex(placement.tables_start, >=, placement.initrd_start + placement.initrd_size);
    g_assert_cmphex(placement.tables_start + placement.tables_size, <=, RAM_BASE + 64 * MIB);
    g_assert_cmphex(placement.fdt_start, ==, before.fdt_start);
    uint64_t end = placement.tables_start + placement.tables_size - RAM_BASE;
    g_assert_true(boot_place_tables(&before, RAM_BASE, end, 0x20000, 0x10000, &error));
    g_assert_false(boot_place_tables(&before, RAM_BASE, end - 1, 0x20000, 0x10000, &error));
    g_assert_error(error, KERNEL_ERROR, KERNEL_ERROR_PLACEMENT);
    g_assert_nonnull(strstr(error->message, "try --memory"));
  }
}

static void test_random(void) {
  g_autoptr(GRand) random = g_rand_new_with_seed(20);
  guint placed = 0;
  for (guint round = 0; round < 20000; round++) {
    uint64_t text_offset = g_rand_int_range(random, 0, 512) * 0x1000ull;
    g_autoptr(KernelImage) image = image_new(text_offset, 1 + g_rand_int(random) % (80 * MIB), g_rand_boolean(random));
    uint64_t initrd_size = g_rand_boolean(random) ? g_rand_int(random) % (100 * MIB) : 0;
    uint64_t fdt_size = g_rand_int_range(random, 0, BOOT_FDT_MAX + 1), ram_size = g_rand_int_range(random, 1, 128) * 2 * MIB;
    BootPlacement placement;
    g_autoptr(GError) error = NULL;
    if (boot_place(image, RAM_BASE, ram_size, initrd_size, fdt_size, &placement, &error)) {
      assert_rules(image, &placement, ram_size);
      placed++;
    } else {
      g_assert_error(error, KERNEL_ERROR, KERNEL_ERROR_PLACEMENT);
      assert_named_need(image, error, initrd_size, fdt_size);
    }
  }
  g_assert_cmpuint(placed, >, 5000);
  g_assert_cmpuint(placed, <, 19000);
}

static void test_modules(void) {
  g_autoptr(KernelImage) image = image_new(0, 35 * MIB, true);
  BootModule modules[] = {{.size = 1}, {.size = 0x10001}, {.size = 5 * MIB}, {.size = UINT64_MAX - 0x20000}};
  BootPlacement placement = place(image, 64 * MIB, 10 * MIB, 0x4321), unplaced = placement;
  g_autoptr(GError) error = NULL, nonsense = NULL;

  g_assert_true(boot_place_modules(&placement, RAM_BASE, 64 * MIB, modules, 3, NULL));
  g_assert_cmphex(modules[0].start, ==, placement.initrd_start + 10 * MIB);
  g_assert_cmphex(modules[1].start, ==, modules[0].start + 0x10000);
  g_assert_cmphex(modules[2].start, ==, modules[1].start + 0x20000);
  g_assert_true(placement.modules == modules);
  g_assert_cmpuint(placement.n_modules, ==, 3);
  placement = unplaced;
  g_assert_false(boot_place_modules(&placement, RAM_BASE, 50 * MIB, modules, 3, &error));
  g_assert_cmpstr(error->message, ==,
                  "the kernel and its modules need at least 52 MiB of memory, the machine has 50 MiB; try --memory 64M");
  g_assert_true(boot_place_modules(&placement, RAM_BASE, 52 * MIB, modules, 3, NULL));
  placement = unplaced;
  g_assert_false(boot_place_modules(&placement, RAM_BASE, 64 * MIB, modules, 4, &nonsense));
  g_assert_cmpuint(placement.n_modules, ==, 0);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/placement/linux", test_linux);
  g_test_add_func("/placement/firmware", test_firmware);
  g_test_add_func("/placement/text-offset", test_text_offset);
  g_test_add_func("/placement/unaligned-ram", test_unaligned_ram);
  g_test_add_func("/placement/raw", test_raw);
  g_test_add_func("/placement/raw-room", test_raw_room);
  g_test_add_func("/placement/raw-huge-initrd", test_raw_huge_initrd);
  g_test_add_func("/placement/elf", test_elf);
  g_test_add_func("/placement/too-little", test_too_little);
  g_test_add_func("/placement/window", test_window);
  g_test_add_func("/placement/nonsense", test_nonsense);
  g_test_add_func("/placement/tables", test_tables);
  g_test_add_func("/placement/random", test_random);
  g_test_add_func("/placement/modules", test_modules);
  return g_test_run();
}
