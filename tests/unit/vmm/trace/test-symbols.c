/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of guest code, and where the kernel really lies: vmm/trace/symbols.c and symbols-load.c. The files are made
 * here.
 */
#include <fcntl.h>
#include <gelf.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/trace/symbols-table.h"

#define KERNEL UINT64_C(0xffff800080000000) /* what Linux is linked to */

typedef struct {
  char *directory;
  char *path;
} Fixture;

static void set_up(Fixture *fixture, gconstpointer data) {
  fixture->directory = g_dir_make_tmp("eret-symbols-XXXXXX", NULL);
  g_assert_nonnull(fixture->directory);
  fixture->path = g_build_filename(fixture->directory, "symbols", NULL);
}

static void tear_down(Fixture *fixture, gconstpointer data) {
  g_unlink(fixture->path);
  g_rmdir(fixture->directory);
  g_free(fixture->path);
  g_free(fixture->directory);
}

static void assert_described(const Symbols *symbols, uint64_t address, const char *text) {
  g_autofree char *described = symbols_describe(symbols, address);
  g_assert_cmpstr(described, ==, text);
}

/* The name alone; NULL: in no symbol. */
static void assert_named(const Symbols *symbols, uint64_t address, const char *name) {
  g_autofree char *described = symbols_describe(symbols, address);
  g_auto(GStrv) parts = g_strsplit(described ? described : "", "+", 2);
  g_assert_cmpstr(parts[0], ==, name);
}

static Symbols *load_text(const Fixture *fixture, const char *text) {
  g_autoptr(GError) error = NULL;
  g_assert_true(g_file_set_contents(fixture->path, text, -1, NULL));
  Symbols *symbols = symbols_load(fixture->path, &error);
  g_assert_no_error(error);
  return symbols;
}

/* BYTES is refused, and the message has REASON in it. */
static void assert_refused(const Fixture *fixture, const char *bytes, gssize size, const char *reason) {
  g_autoptr(GError) error = NULL;
  g_assert_true(g_file_set_contents(fixture->path, bytes, size, NULL));
  g_assert_null(symbols_load(fixture->path, &error));
  g_assert_error(error, SYMBOLS_ERROR, SYMBOLS_ERROR_FORMAT);
  g_assert_nonnull(strstr(error->message, fixture->path));
  if (!strstr(error->message, reason))
    g_error("\"%s\" does not say \"%s\"", error->message, reason);
}

/* System.map. */

static const char system_map[] = "0000000000000000 A __ASSEMBLER__\n"
                                 "000000000000abcd a some_absolute\n"
                                 "0000000000000030 D irq_stack_ptr\n"
                                 "ffff800080000000 T _text\n"
                                 "ffff800080000000 t $x\n"
                                 "ffff800080010000 T _stext\n"
                                 "ffff800080010000 T gic_handle_irq\n"
                                 "ffff800080010040 t $d\n"
                                 "ffff800080010100 T el1h_64_irq\n"
                                 "ffff800080010120 t .Llocal\n"
                                 "ffff800080010200 W weak_name\n"
                                 "ffff800080010200 T strong_name\n"
                                 "ffff800080010300 T __pi_memcpy\n"
                                 "ffff800080010300 T memcpy\n"
                                 "ffff800080010400 T __arm_smccc_hvc\n"
                                 "ffff800080010440 T __arm_smccc_smc\n"
                                 "ffff800080010480 T arm_smccc_1_2_hvc\n"
                                 "ffff800080010500 T smccc_trng_read\n"
                                 "ffff800080010600 T kvm_init_hyp_services\n"
                                 "ffff800080010800 T last_function\n"
                                 "ffff800080020000 D __start_rodata\n"
                                 "ffff800080030000 T init_function\n"
                                 "                 U undefined\n"
                                 "ffff800080040000 B __bss_start\n";

static void test_system_map(Fixture *fixture, gconstpointer data) {
  g_autoptr(Symbols) symbols = load_text(fixture, system_map);

  g_assert_cmpint(symbols->slide, ==, 0);
  assert_described(symbols, KERNEL + 0x10100, "el1h_64_irq");
  assert_described(symbols, KERNEL + 0x1011c, "el1h_64_irq+0x1c");
  assert_described(symbols, KERNEL + 0x10124, "el1h_64_irq+0x24"); /* not the local label */
  assert_described(symbols, KERNEL + 0x10048, "gic_handle_irq+0x48");
  assert_described(symbols, KERNEL + 0x10200, "strong_name");
  assert_described(symbols, KERNEL + 0x10304, "memcpy+0x4");
  assert_described(symbols, KERNEL + 0x1ffff, "last_function+0xf7ff");
  assert_described(symbols, KERNEL + 0x20000, NULL); /* data */
  assert_described(symbols, KERNEL + 0x30010, "init_function+0x10");
  assert_described(symbols, KERNEL + 0x40000, NULL);
  assert_described(symbols, KERNEL - 4, NULL);
  assert_described(symbols, 0, NULL);
  assert_described(symbols, 0x34, NULL);
  assert_described(symbols, 0xabcd, NULL);
  assert_described(symbols, UINT64_MAX, NULL);
  assert_named(symbols, KERNEL + 0x1011c, "el1h_64_irq");
  assert_named(symbols, 0x1000, NULL);
}

static void test_no_symbols(void) {
  assert_described(NULL, KERNEL, NULL);
  assert_named(NULL, KERNEL, NULL);
  symbols_free(NULL);
}

static void test_unsorted(Fixture *fixture, gconstpointer data) {
  g_autoptr(Symbols) symbols = load_text(fixture, "300 T third\n100 T first\n200 T second\n280 d data\n");

  assert_described(symbols, 0x104, "first+0x4");
  assert_described(symbols, 0x27f, "second+0x7f");
  assert_described(symbols, 0x284, NULL);
  assert_described(symbols, 0x304, "third+0x4");
}

/* What nothing follows does not go on for ever. */
static void test_last(Fixture *fixture, gconstpointer data) {
  g_autoptr(Symbols) symbols = load_text(fixture, "1000 T only\n");

  assert_described(symbols, 0x1000, "only");
  assert_described(symbols, 0x2000, "only+0x1000");
  assert_described(symbols, 0x10000000, NULL);
  assert_described(symbols, 0xfff, NULL);
}

static void test_kallsyms(Fixture *fixture, gconstpointer data) {
  g_autoptr(Symbols) symbols = load_text(fixture, "ffffa3c2b0010000 T _stext\n"
                                                  "ffffa3c2b0010100 T do_idle\n"
                                                  "ffffa3c290000000 t virtio_init\t[virtio_mmio]\n"
                                                  "ffffa3c2900000a0 t .L144\0021\t[virtio_mmio]\n"
                                                  "ffffa3c290000100 t bpf_prog_6deef7357e7b4530 [bpf]\n");

  assert_described(symbols, UINT64_C(0xffffa3c2b0010104), "do_idle+0x4");
  assert_described(symbols, UINT64_C(0xffffa3c290000008), "virtio_init+0x8");
  assert_described(symbols, UINT64_C(0xffffa3c2900000a8), "virtio_init+0xa8");
  assert_described(symbols, UINT64_C(0xffffa3c290000108), "bpf_prog_6deef7357e7b4530+0x8");
}

static void test_line_ends(Fixture *fixture, gconstpointer data) {
  g_autoptr(Symbols) dos = load_text(fixture, "1000 T one\r\n2000 T two\r\n\r\n3000 D end\r\n");
  assert_described(dos, 0x2004, "two+0x4");
  g_autoptr(Symbols) open_end = load_text(fixture, "\n1000 T one\n\n2000 T two");
  assert_described(open_end, 0x2004, "two+0x4");
}

static void test_bad_text(Fixture *fixture, gconstpointer data) {
  assert_refused(fixture, "", 0, "empty");
  assert_refused(fixture, "hello\n", -1, "line 1 ");
  assert_refused(fixture, "1000 T one\n2000 two\n", -1, "line 2 ");
  assert_refused(fixture, "1000 T one\n\n2000 T \n", -1, "line 3 ");
  assert_refused(fixture, "11112222333344445 T too_long\n", -1, "line 1 ");
  assert_refused(fixture, "1000 T", -1, "line 1 ");
  assert_refused(fixture, "1000", -1, "line 1 ");
  assert_refused(fixture, "1000 D data_alone\n", -1, "no name of any code");
  assert_refused(fixture, "0000000000000000 T _stext\n0000000000000000 t foo\n", -1, "kptr_restrict");
  assert_refused(fixture, "ffffffffffffffff B The real System.map is in the linux-image-<version>-dbg package\n", -1,
                 "is in package linux-image-<version>-dbg");
  assert_refused(fixture, "\x1f\x8b\x08\x00", 4, "gzip");
  assert_refused(fixture, "\x28\xb5\x2f\xfd\x00", 5, "zstd");
  assert_refused(fixture,
                 "\xfd"
                 "7zXZ\0",
                 6, "xz");
}

static void test_kernel_image(Fixture *fixture, gconstpointer data) {
  char image[64] = "MZ";
  memcpy(image + 56, "ARM\x64", 4);
  assert_refused(fixture, image, sizeof image, "kernel image");
}

static void test_unreadable(Fixture *fixture, gconstpointer data) {
  g_autoptr(GError) missing = NULL, directory = NULL;

  g_assert_null(symbols_load("/nonexistent/System.map", &missing));
  g_assert_error(missing, SYMBOLS_ERROR, SYMBOLS_ERROR_IO);
  g_assert_nonnull(strstr(missing->message, "cannot read symbols from /nonexistent/System.map: "));
  g_assert_null(symbols_load(fixture->directory, &directory));
  g_assert_error(directory, SYMBOLS_ERROR, SYMBOLS_ERROR_IO);
}

/* Neither what has no end nor a hole as large as a disk is read to its end. */
static void test_endless(Fixture *fixture, gconstpointer data) {
  g_autoptr(GError) endless = NULL, hole = NULL;
  gint64 start = g_get_monotonic_time();

  g_assert_null(symbols_load("/dev/zero", &endless));
  g_assert_cmpstr(endless->message, ==, "cannot read symbols from /dev/zero: larger than 512 MiB: this is no list of symbols");
  g_assert_true(g_file_set_contents(fixture->path, "x", 1, NULL));
  g_assert_cmpint(truncate(fixture->path, INT64_C(1) << 40), ==, 0);
  g_assert_null(symbols_load(fixture->path, &hole));
  g_assert_nonnull(strstr(hole->message, "line 1 is not"));
  g_assert_cmpint(g_get_monotonic_time() - start, <, 60 * G_USEC_PER_SEC);
}

/* A pipe has no size: shells make them of <(command). */
static gpointer write_fifo(gpointer path) {
  int fd = g_open(path, O_WRONLY, 0);
  g_assert_cmpint(write(fd, system_map, sizeof system_map - 1), ==, sizeof system_map - 1);
  close(fd);
  return NULL;
}

static void test_pipe(Fixture *fixture, gconstpointer data) {
  g_assert_cmpint(mkfifo(fixture->path, 0600), ==, 0);
  GThread *writer = g_thread_new("writer", write_fifo, fixture->path);
  g_autoptr(Symbols) symbols = symbols_load(fixture->path, NULL);
  g_thread_join(writer);
  g_assert_nonnull(symbols);
  assert_described(symbols, KERNEL + 0x10104, "el1h_64_irq+0x4");
}

/* As large as Linux's, and it must not take long. */
static void test_large(Fixture *fixture, gconstpointer data) {
  g_autoptr(GString) text = g_string_new(NULL);

  for (unsigned i = 0; i < 200000; i++)
    g_string_append_printf(text, "%016" G_GINT64_MODIFIER "x %c function_with_a_longer_name_%u\n", KERNEL + i * 64, i % 5 ? 't' : 'T', i);
  gint64 start = g_get_monotonic_time();
  g_autoptr(Symbols) symbols = load_text(fixture, text->str);
  g_test_message("%u ms", (unsigned)((g_get_monotonic_time() - start) / 1000));
  g_assert_cmpint(g_get_monotonic_time() - start, <, 5 * G_USEC_PER_SEC);
  assert_described(symbols, KERNEL + 123456 * 64 + 8, "function_with_a_longer_name_123456+0x8");
}

/* ELF. */

typedef struct {
  const char *name;
  uint64_t value, size;
  unsigned char type, binding;
  uint16_t section; /* 1: .text, 2: .data */
} ElfSymbol;

typedef struct {
  unsigned char elf_class, encoding;
  uint16_t machine, type;
  bool stripped;
} ElfKind;

static const ElfKind linked = {ELFCLASS64, ELFDATA2LSB, EM_AARCH64, ET_EXEC, false};

#define TEXT_ADDRESS (KERNEL + 0x10000)
#define TEXT_SIZE    0x10000

static const ElfSymbol elf_symbols[] = {
    {"$x", TEXT_ADDRESS, 0, STT_NOTYPE, STB_LOCAL, 1},
    {"vmlinux.c", 0, 0, STT_FILE, STB_LOCAL, SHN_ABS},
    {"_stext", TEXT_ADDRESS, 0, STT_NOTYPE, STB_GLOBAL, 1},
    {"first", TEXT_ADDRESS, 0x40, STT_FUNC, STB_GLOBAL, 1},
    {"outer", TEXT_ADDRESS + 0x100, 0x100, STT_FUNC, STB_GLOBAL, 1},
    {"inner", TEXT_ADDRESS + 0x120, 0x10, STT_FUNC, STB_LOCAL, 1},
    {"weak_alias", TEXT_ADDRESS + 0x300, 0x20, STT_FUNC, STB_WEAK, 1},
    {"real_name", TEXT_ADDRESS + 0x300, 0x20, STT_FUNC, STB_GLOBAL, 1},
    {"assembly_label", TEXT_ADDRESS + 0x400, 0, STT_NOTYPE, STB_GLOBAL, 1},
    {"__arm_smccc_hvc", TEXT_ADDRESS + 0x500, 0x20, STT_FUNC, STB_GLOBAL, 1},
    {"tail", TEXT_ADDRESS + 0xff00, 0, STT_NOTYPE, STB_GLOBAL, 1},
    {"counter", TEXT_ADDRESS + TEXT_SIZE + 0x10, 8, STT_OBJECT, STB_GLOBAL, 2},
    {"jiffies_label", TEXT_ADDRESS + TEXT_SIZE + 0x20, 0, STT_NOTYPE, STB_GLOBAL, 2},
    {"absolute", 0x1234, 0, STT_NOTYPE, STB_GLOBAL, SHN_ABS},
    {"undefined", 0, 0, STT_NOTYPE, STB_GLOBAL, SHN_UNDEF},
};

static const char section_names[] = "\0.text\0.data\0.symtab\0.strtab\0.shstrtab";

static Elf_Scn *add_section(Elf *elf, const char *name, uint32_t type, uint64_t flags, uint64_t address, void *bytes, size_t size) {
  Elf_Scn *section = elf_newscn(elf);
  Elf_Data *data = elf_newdata(section);
  GElf_Shdr header;
  const char *found = section_names + 1;

  while (strcmp(found, name))
    found += strlen(found) + 1;
  data->d_buf = bytes;
  data->d_size = size;
  data->d_align = 8;
  data->d_version = EV_CURRENT;
  data->d_type = type == SHT_SYMTAB ? ELF_T_SYM : ELF_T_BYTE;
  g_assert_nonnull(gelf_getshdr(section, &header));
  header.sh_name = (uint32_t)(found - section_names);
  header.sh_type = type;
  header.sh_flags = flags;
  header.sh_addr = gelf_getclass(elf) == ELFCLASS64 ? address : (uint32_t)address;
  if (type == SHT_SYMTAB)
    header.sh_entsize = gelf_fsize(elf, ELF_T_SYM, 1, EV_CURRENT);
  g_assert_cmpint(gelf_update_shdr(section, &header), !=, 0);
  return section;
}

/* The symbol table's bytes, in this machine's order: libelf translates. */
static void *symbol_bytes(const ElfKind *kind, GString *names, size_t *size) {
  size_t entry = kind->elf_class == ELFCLASS64 ? sizeof(Elf64_Sym) : sizeof(Elf32_Sym);
  char *bytes = g_malloc0(entry * (G_N_ELEMENTS(elf_symbols) + 1));

  *size = entry * (G_N_ELEMENTS(elf_symbols) + 1);
  for (unsigned i = 0; i < G_N_ELEMENTS(elf_symbols); i++) {
    const ElfSymbol *from = &elf_symbols[i];
    Elf64_Sym symbol = {
        .st_name = (uint32_t)names->len,
        .st_info = ELF64_ST_INFO(from->binding, from->type),
        .st_shndx = from->section,
        .st_value = from->value,
        .st_size = from->size,
    };
    g_string_append_len(names, from->name, (gssize)strlen(from->name) + 1);
    if (kind->elf_class == ELFCLASS64)
      memcpy(bytes + entry * (i + 1), &symbol, sizeof symbol);
  }
  return bytes;
}

static void write_elf(const Fixture *fixture, const ElfKind *kind) {
  g_autofree char *text = g_malloc0(TEXT_SIZE), *table = NULL;
  g_autoptr(GString) names = g_string_new_len("", 1);
  size_t table_size;
  char data[0x40] = {0};
  GElf_Ehdr header;
  GElf_Shdr table_header;
  int fd = g_open(fixture->path, O_RDWR | O_CREAT | O_TRUNC, 0600);

  elf_version(EV_CURRENT);
  Elf *elf = elf_begin(fd, ELF_C_WRITE, NULL);
  g_assert_nonnull(elf);
  g_assert_nonnull(gelf_newehdr(elf, kind->elf_class));
  g_assert_nonnull(gelf_getehdr(elf, &header));
  header.e_ident[EI_DATA] = kind->encoding;
  header.e_machine = kind->machine;
  header.e_type = kind->type;
  header.e_version = EV_CURRENT;
  g_assert_cmpint(gelf_update_ehdr(elf, &header), !=, 0);
  add_section(elf, ".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, TEXT_ADDRESS, text, TEXT_SIZE);
  add_section(elf, ".data", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, TEXT_ADDRESS + TEXT_SIZE, data, sizeof data);
  table = symbol_bytes(kind, names, &table_size);
  if (!kind->stripped) {
    Elf_Scn *section = add_section(elf, ".symtab", SHT_SYMTAB, 0, 0, table, table_size);
    Elf_Scn *strings = add_section(elf, ".strtab", SHT_STRTAB, 0, 0, names->str, names->len);
    gelf_getshdr(section, &table_header);
    table_header.sh_link = (uint32_t)elf_ndxscn(strings);
    gelf_update_shdr(section, &table_header);
  }
  Elf_Scn *sections = add_section(elf, ".shstrtab", SHT_STRTAB, 0, 0, (char *)section_names, sizeof section_names);
  gelf_getehdr(elf, &header);
  header.e_shstrndx = (uint16_t)elf_ndxscn(sections);
  gelf_update_ehdr(elf, &header);
  g_assert_cmpint(elf_update(elf, ELF_C_WRITE), >, 0);
  elf_end(elf);
  close(fd);
}

static void assert_elf_names(const Symbols *symbols) {
  assert_described(symbols, TEXT_ADDRESS + 4, "first+0x4");
  assert_described(symbols, TEXT_ADDRESS + 0x40, NULL); /* behind its end */
  assert_described(symbols, TEXT_ADDRESS + 0x110, "outer+0x10");
  assert_described(symbols, TEXT_ADDRESS + 0x124, "inner+0x4");
  assert_described(symbols, TEXT_ADDRESS + 0x134, "outer+0x34"); /* behind the inner one */
  assert_described(symbols, TEXT_ADDRESS + 0x200, NULL);
  assert_described(symbols, TEXT_ADDRESS + 0x304, "real_name+0x4");
  assert_described(symbols, TEXT_ADDRESS + 0x4fc, "assembly_label+0xfc");
  assert_described(symbols, TEXT_ADDRESS + 0xfffc, "tail+0xfc");
  assert_described(symbols, TEXT_ADDRESS + TEXT_SIZE, NULL); /* behind the section */
  assert_described(symbols, TEXT_ADDRESS + TEXT_SIZE + 0x10, NULL);
  assert_described(symbols, TEXT_ADDRESS + TEXT_SIZE + 0x24, NULL);
  assert_described(symbols, 0x1234, NULL);
}

static void test_elf(Fixture *fixture, gconstpointer data) {
  static const ElfKind kinds[] = {
      {ELFCLASS64, ELFDATA2LSB, EM_AARCH64, ET_EXEC, false},
      {ELFCLASS64, ELFDATA2LSB, EM_AARCH64, ET_DYN, false}, /* as vmlinux with KASLR */
      {ELFCLASS64, ELFDATA2MSB, EM_AARCH64, ET_EXEC, false},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(kinds); i++) {
    g_autoptr(GError) error = NULL;
    write_elf(fixture, &kinds[i]);
    g_autoptr(Symbols) symbols = symbols_load(fixture->path, &error);
    g_assert_no_error(error);
    assert_elf_names(symbols);
  }
}

static void test_foreign_elf(Fixture *fixture, gconstpointer data) {
  static const struct {
    ElfKind kind;
    const char *reason;
  } foreign[] = {
      {{ELFCLASS64, ELFDATA2LSB, EM_X86_64, ET_EXEC, false}, "another processor"},
      {{ELFCLASS32, ELFDATA2LSB, EM_ARM, ET_EXEC, false}, "another processor"},
      {{ELFCLASS32, ELFDATA2LSB, EM_AARCH64, ET_EXEC, false}, "another processor"},
      {{ELFCLASS64, ELFDATA2LSB, EM_AARCH64, ET_REL, false}, "object file"},
      {{ELFCLASS64, ELFDATA2LSB, EM_AARCH64, ET_EXEC, true}, "stripped"},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(foreign); i++) {
    g_autofree char *bytes = NULL;
    gsize size;
    write_elf(fixture, &foreign[i].kind);
    g_assert_true(g_file_get_contents(fixture->path, &bytes, &size, NULL));
    assert_refused(fixture, bytes, (gssize)size, foreign[i].reason);
  }
}

/* Any damage is an error or fewer names, never a crash. */
static void test_damaged_elf(Fixture *fixture, gconstpointer data) {
  g_autofree char *bytes = NULL;
  gsize size;

  write_elf(fixture, &linked);
  g_assert_true(g_file_get_contents(fixture->path, &bytes, &size, NULL));
  for (gsize cut = 1; cut < size; cut += cut < 128 ? 1 : 997) {
    g_assert_true(g_file_set_contents(fixture->path, bytes, (gssize)cut, NULL));
    symbols_free(symbols_load(fixture->path, NULL));
  }
  for (unsigned i = 0; i < 600; i++) {
    g_autofree char *damaged = g_memdup2(bytes, size);
    /* Where it matters: the file's header, or the tables at its end. */
    gsize place = i % 2 ? (gsize)g_test_rand_int_range(4, 64) : size - (gsize)g_test_rand_int_range(1, 1200);
    damaged[place] = (char)g_test_rand_int();
    g_assert_true(g_file_set_contents(fixture->path, damaged, (gssize)size, NULL));
    g_autoptr(Symbols) symbols = symbols_load(fixture->path, NULL);
    g_free(symbols_describe(symbols, TEXT_ADDRESS + 4));
  }
}

/* The slide. */

/* The addresses behind the HVC instructions of a kernel that lies SLIDE from where it was linked. */
static GArray *slid(const uint64_t *addresses, unsigned n, int64_t slide) {
  GArray *pcs = g_array_new(FALSE, FALSE, sizeof(uint64_t));
  for (unsigned i = 0; i < n; i++) {
    uint64_t pc = addresses[i] + (uint64_t)slide + 4;
    g_array_append_val(pcs, pc);
  }
  return pcs;
}

static void assert_slide(Symbols *symbols, const uint64_t *addresses, unsigned n, int64_t slide) {
  g_autoptr(GArray) pcs = slid(addresses, n, slide);
  g_assert_true(symbols_find_slide(symbols, (const uint64_t *)(void *)pcs->data, n));
  g_assert_cmpint(symbols->slide, ==, slide);
}

static const int64_t slides[] = {0,       0x200000, 0x12600000,           INT64_C(0x23c270000000),
                                 0x10000, 0x3f0000, -INT64_C(0x40200000), INT64_C(0x7ffe00000000)};

static void test_slide(Fixture *fixture, gconstpointer data) {
  static const uint64_t calls[] = {KERNEL + 0x10404, KERNEL + 0x10404, KERNEL + 0x10404, KERNEL + 0x10484, KERNEL + 0x10510};
  g_autoptr(Symbols) symbols = load_text(fixture, system_map);

  for (unsigned i = 0; i < G_N_ELEMENTS(slides); i++) {
    assert_slide(symbols, calls, G_N_ELEMENTS(calls), slides[i]);
    assert_slide(symbols, calls, 1, slides[i]);
    assert_described(symbols, KERNEL + 0x10110 + (uint64_t)slides[i], "el1h_64_irq+0x10");
    assert_named(symbols, KERNEL + 0x10404 + (uint64_t)slides[i], "__arm_smccc_hvc");
  }
  /* A page is the smallest step, as no kernel moves by, but it can be told. */
  assert_slide(symbols, calls, G_N_ELEMENTS(calls), 0x5000);
}

/* Most calls are where the compiler put them: in functions of other names. */
static void test_slide_of_inlined_calls(Fixture *fixture, gconstpointer data) {
  static const uint64_t calls[] = {
      KERNEL + 0x10620, KERNEL + 0x10620, KERNEL + 0x10620, KERNEL + 0x10620, KERNEL + 0x10650, KERNEL + 0x10410, KERNEL + 0x30010,
  };
  g_autoptr(Symbols) symbols = load_text(fixture, system_map);

  for (unsigned i = 0; i < G_N_ELEMENTS(slides); i++)
    assert_slide(symbols, calls, G_N_ELEMENTS(calls), slides[i]);
}

/* Several functions fit: the one that is nothing but an HVC is it. */
static void test_slide_prefers_hvc(Fixture *fixture, gconstpointer data) {
  static const char map[] = "ffff800080000000 T _text\n"
                            "ffff800080010400 T smccc_other\n"
                            "ffff800080010500 T end1\n"
                            "ffff800080020400 T __arm_smccc_hvc\n"
                            "ffff800080020440 T end2\n"
                            "ffff800080030400 T smccc_third\n"
                            "ffff800080030500 T end3\n";
  static const uint64_t calls[] = {KERNEL + 0x20410};
  g_autoptr(Symbols) symbols = load_text(fixture, map);

  for (unsigned i = 0; i < G_N_ELEMENTS(slides); i++)
    assert_slide(symbols, calls, 1, slides[i]);
}

/* Steps of 64 KiB are likelier than pages. */
static void test_slide_prefers_alignment(Fixture *fixture, gconstpointer data) {
  static const char map[] = "ffff800080000000 T _text\n"
                            "ffff800080010400 T __arm_smccc_hvc\n"
                            "ffff800080010440 T end1\n"
                            "ffff800080013400 T arm_smccc_1_2_hvc\n"
                            "ffff800080013440 T end2\n"
                            "ffff800080100000 T end3\n";
  static const uint64_t first[] = {KERNEL + 0x10410}, second[] = {KERNEL + 0x13410};
  g_autoptr(Symbols) symbols = load_text(fixture, map);

  for (unsigned i = 0; i < G_N_ELEMENTS(slides); i++) {
    assert_slide(symbols, first, 1, slides[i]);
    assert_slide(symbols, second, 1, slides[i]);
  }
}

static void test_no_slide(Fixture *fixture, gconstpointer data) {
  /* Offsets in a page where no function is. */
  static const uint64_t elsewhere[] = {0x40080f04, 0x40080f08};
  g_autoptr(Symbols) symbols = load_text(fixture, system_map);

  symbols->slide = 0x1000;
  g_assert_false(symbols_find_slide(symbols, elsewhere, G_N_ELEMENTS(elsewhere)));
  g_assert_cmpint(symbols->slide, ==, 0);
  symbols->slide = 0x1000;
  g_assert_false(symbols_find_slide(symbols, NULL, 0));
  g_assert_cmpint(symbols->slide, ==, 0);
}

/* Without SMCCC there is no KASLR: another kernel than Linux, where it was linked. */
static void test_other_kernel(Fixture *fixture, gconstpointer data) {
  static const uint64_t inside[] = {0x40080014, 0x40080014, 0x40080108}, outside[] = {0x40080014, 0x50000000};
  g_autoptr(Symbols) symbols = load_text(fixture, "40080000 T start\n40080100 T call\n40080200 D data\n");

  g_assert_true(symbols_find_slide(symbols, inside, G_N_ELEMENTS(inside)));
  g_assert_cmpint(symbols->slide, ==, 0);
  assert_described(symbols, 0x40080104, "call+0x4");
  g_assert_false(symbols_find_slide(symbols, outside, G_N_ELEMENTS(outside)));
}

/* However many calls there are, and wherever: bounded work. */
static void test_many_calls(Fixture *fixture, gconstpointer data) {
  g_autoptr(Symbols) symbols = load_text(fixture, system_map);
  g_autoptr(GArray) pcs = g_array_new(FALSE, FALSE, sizeof(uint64_t));

  for (unsigned i = 0; i < 300000; i++) {
    uint64_t pc = i % 3 == 0 ? KERNEL + 0x200000 + 0x10408 : i * UINT64_C(0x9e3779b97f4a7c15);
    g_array_append_val(pcs, pc);
  }
  gint64 start = g_get_monotonic_time();
  g_assert_true(symbols_find_slide(symbols, (const uint64_t *)(void *)pcs->data, pcs->len));
  g_test_message("%u ms", (unsigned)((g_get_monotonic_time() - start) / 1000));
  g_assert_cmpint(g_get_monotonic_time() - start, <, 5 * G_USEC_PER_SEC);
  g_assert_cmphex((uint64_t)symbols->slide, ==, 0x200000);
}

int main(int argc, char **argv) {
  static const struct {
    const char *path;
    void (*run)(Fixture *fixture, gconstpointer data);
  } tests[] = {
      {"/symbols/system-map", test_system_map},
      {"/symbols/unsorted", test_unsorted},
      {"/symbols/last", test_last},
      {"/symbols/kallsyms", test_kallsyms},
      {"/symbols/line-ends", test_line_ends},
      {"/symbols/bad-text", test_bad_text},
      {"/symbols/kernel-image", test_kernel_image},
      {"/symbols/unreadable", test_unreadable},
      {"/symbols/endless", test_endless},
      {"/symbols/pipe", test_pipe},
      {"/symbols/large", test_large},
      {"/symbols/elf", test_elf},
      {"/symbols/foreign-elf", test_foreign_elf},
      {"/symbols/damaged-elf", test_damaged_elf},
      {"/symbols/slide", test_slide},
      {"/symbols/slide-of-inlined-calls", test_slide_of_inlined_calls},
      {"/symbols/slide-prefers-hvc", test_slide_prefers_hvc},
      {"/symbols/slide-prefers-alignment", test_slide_prefers_alignment},
      {"/symbols/no-slide", test_no_slide},
      {"/symbols/other-kernel", test_other_kernel},
      {"/symbols/many-calls", test_many_calls},
  };

  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/symbols/none", test_no_symbols);
  for (unsigned i = 0; i < G_N_ELEMENTS(tests); i++)
    g_test_add(tests[i].path, Fixture, NULL, set_up, tests[i].run, tear_down);
  return g_test_run();
}
