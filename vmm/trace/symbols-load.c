/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads symbol files: System.map and what nm and /proc/kallsyms print (nm(1): "address type name"), and ELF64 for
 * AArch64 through libelf (gABI, AAELF64 IHI 0056). A kernel with all its debugging information has some hundred
 * megabytes: files are mapped, and of an ELF file only the symbol table is read. No locks.
 */
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/base/mapped-file.h"
#include "vmm/base/whole-file.h"
#include "vmm/trace/symbols-table.h"

#define STREAM_MAX    ((gsize)512 << 20) /* a vmlinux with all that debuggers want; one that is a file is mapped, and has no limit */
#define TEXT_LINE_MAX 65536

G_DEFINE_QUARK(eret - symbols - error - quark, symbols_error)

typedef struct {
  const char *data;
  size_t size;
} Bytes;

G_GNUC_PRINTF(3, 4)
static bool fail(GError **error, SymbolsError code, const char *format, ...) {
  va_list arguments;

  va_start(arguments, format);
  g_autofree char *reason = g_strdup_vprintf(format, arguments);
  va_end(arguments);
  g_set_error_literal(error, SYMBOLS_ERROR, (int)code, reason);
  return false;
}

/* Text. */

/* A line taken apart; the parts are in the file, not ended by NUL. */
typedef struct {
  uint64_t address;
  char type;
  Bytes name;
} Line;

/* "ffff800080010000 T _stext", for a module's symbol with a tab and "[module]" behind it. */
static bool parse_line(const char *text, const char *end, Line *line) {
  const char *start = text;

  line->address = 0;
  while (text < end && g_ascii_isxdigit(*text))
    line->address = line->address << 4 | (uint64_t)g_ascii_xdigit_value(*text++);
  if (text == start || text - start > 16 || end - text < 4 || text[0] != ' ' || !g_ascii_isalpha(text[1]) || text[2] != ' ')
    return false;
  line->type = text[1];
  line->name.data = text + 3;
  for (text += 3; text < end && *text != ' ' && *text != '\t' && *text != '\r'; text++)
    /* The assembler's numbered labels (".L14472\0021", which modules keep) are no names for people. */
    if (g_ascii_iscntrl(*text))
      line->type = 'a';
  line->name.size = (size_t)(text - line->name.data);
  return line->name.size > 0;
}

static void add_line(Symbols *symbols, const Line *line) {
  switch (g_ascii_tolower(line->type)) {
  case 'a': /* absolute: a number, not a place */
  case 'u': /* of another file */
  case 'n': /* debugging */
    return;
  case 't':
    symbols_add(symbols, line->address, 0, line->name.data, line->name.size, 0);
    return;
  case 'w':
    symbols_add(symbols, line->address, 0, line->name.data, line->name.size, SYMBOL_RANK_WEAK);
    return;
  default: /* data, of one kind or other */
    symbols_add_boundary(symbols, line->address);
    return;
  }
}

/* Debian's packages of kernels have one line in place of the real file. */
#define PLACEHOLDER "The real System.map is in the "

static bool is_placeholder(Bytes file, GError **error) {
  gssize first_line = (gssize)MIN(file.size, 200);
  const char *found = g_strstr_len(file.data, first_line, PLACEHOLDER);

  if (!found)
    return false;
  const char *package = found + strlen(PLACEHOLDER);
  size_t length = 0;
  while (package + length < file.data + file.size && g_ascii_isgraph(package[length]))
    length++;
  fail(error, SYMBOLS_ERROR_FORMAT, "it is Debian's placeholder: the real one is in package %.*s", (int)length, package);
  return true;
}

static bool load_text(Symbols *symbols, Bytes file, GError **error) {
  const char *end = file.data + file.size;
  bool placed = false;
  unsigned number = 1;

  if (is_placeholder(file, error))
    return false;

  for (const char *text = file.data; text < end; number++) {
    size_t at_most = MIN((size_t)(end - text), TEXT_LINE_MAX);
    const char *line_end = memchr(text, '\n', at_most);
    line_end = line_end ? line_end : text + at_most;
    /* nm leaves the address of what is undefined blank. */
    bool blank = text == line_end || *text == ' ' || *text == '\r';
    Line line;
    if (!blank && !parse_line(text, line_end, &line))
      return fail(error, SYMBOLS_ERROR_FORMAT, "line %u is not \"address type name\": it is neither System.map nor ELF", number);
    if (!blank) {
      placed = placed || line.address;
      add_line(symbols, &line);
    }
    text = line_end + (line_end < end);
  }
  if (!placed)
    return fail(error, SYMBOLS_ERROR_FORMAT, "all addresses are 0: /proc/kallsyms has them for root only (kernel.kptr_restrict)");
  return true;
}

/* ELF. */

typedef Elf ElfFile;
static void elf_file_end(ElfFile *elf) {
  elf_end(elf);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ElfFile, elf_file_end)

/* The sections that hold code, by their number; where each ends is a boundary. */
static bool *find_code(Symbols *symbols, Elf *elf, size_t *n_sections) {
  *n_sections = 0;
  if (elf_getshdrnum(elf, n_sections) != 0)
    return NULL;
  bool *code = g_new0(bool, *n_sections + 1);
  for (Elf_Scn *section = elf_nextscn(elf, NULL); section; section = elf_nextscn(elf, section)) {
    GElf_Shdr header;
    size_t index = elf_ndxscn(section);
    if (index >= *n_sections || !gelf_getshdr(section, &header) || !(header.sh_flags & SHF_EXECINSTR))
      continue;
    code[index] = true;
    symbols_add_boundary(symbols, header.sh_addr + header.sh_size);
  }
  return code;
}

static Elf_Scn *find_symbol_table(Elf *elf, GElf_Shdr *header) {
  for (Elf_Scn *section = elf_nextscn(elf, NULL); section; section = elf_nextscn(elf, section))
    if (gelf_getshdr(section, header) && header->sh_type == SHT_SYMTAB && header->sh_entsize)
      return section;
  return NULL;
}

static void add_elf_symbol(Symbols *symbols, const GElf_Sym *symbol, const char *name) {
  unsigned type = GELF_ST_TYPE(symbol->st_info), rank = 0;

  if (!name || (type != STT_FUNC && type != STT_NOTYPE && type != STT_GNU_IFUNC))
    return;
  if (GELF_ST_BIND(symbol->st_info) == STB_WEAK)
    rank += SYMBOL_RANK_WEAK;
  if (type == STT_NOTYPE)
    rank += SYMBOL_RANK_UNTYPED;
  symbols_add(symbols, symbol->st_value, symbol->st_size, name, strlen(name), rank);
}

static bool check_elf(Elf *elf, GError **error) {
  GElf_Ehdr header;

  if (!elf || elf_kind(elf) != ELF_K_ELF || !gelf_getehdr(elf, &header))
    return fail(error, SYMBOLS_ERROR_FORMAT, "it is a damaged ELF file (%s)", elf ? "header" : elf_errmsg(-1));
  if (gelf_getclass(elf) != ELFCLASS64 || header.e_machine != EM_AARCH64)
    return fail(error, SYMBOLS_ERROR_FORMAT, "it is an ELF file for another processor than 64-bit ARM (machine %u)", header.e_machine);
  if (header.e_type == ET_REL)
    return fail(error, SYMBOLS_ERROR_FORMAT, "it is an object file: what is not linked has no addresses");
  return true;
}

static bool load_elf(Symbols *symbols, Bytes file, GError **error) {
  GElf_Shdr table;
  size_t n_sections;

  elf_version(EV_CURRENT);
  /* libelf does not write to it: it is opened for reading, whatever the parameter's type says. */
  g_autoptr(ElfFile) elf = elf_memory((char *)file.data, file.size);
  if (!check_elf(elf, error))
    return false;
  Elf_Scn *section = find_symbol_table(elf, &table);
  Elf_Data *data = section ? elf_getdata(section, NULL) : NULL;
  g_autofree bool *code = find_code(symbols, elf, &n_sections);
  if (!data || !code)
    return fail(error, SYMBOLS_ERROR_FORMAT, "it is an ELF file without a symbol table (stripped): use the unstripped one, or System.map");
  size_t n_symbols = MIN(table.sh_size, data->d_size) / table.sh_entsize;
  for (size_t i = 1; i < n_symbols && i <= INT_MAX; i++) {
    GElf_Sym symbol;
    if (!gelf_getsym(data, (int)i, &symbol))
      break;
    if (symbol.st_shndx < n_sections && code[symbol.st_shndx])
      add_elf_symbol(symbols, &symbol, elf_strptr(elf, table.sh_link, symbol.st_name));
  }
  return true;
}

/* Files that people take for ones with names. Each is told by a few bytes at a fixed place. */
static const struct {
  size_t offset;
  const char *magic;
  size_t size;
  const char *what;
} others[] = {
    {56, "ARM\x64", 4, "it is a kernel image, which has no names: use its System.map or vmlinux"},
    {0, "\x1f\x8b", 2, "it is compressed (gzip): unpack it first"},
    {0, "\x28\xb5\x2f\xfd", 4, "it is compressed (zstd): unpack it first"},
    {0,
     "\xfd"
     "7zXZ",
     5, "it is compressed (xz): unpack it first"},
};

static bool has_magic(Bytes file, size_t offset, const char *magic, size_t size) {
  return file.size >= offset + size && !memcmp(file.data + offset, magic, size);
}

static bool load_bytes(Symbols *symbols, Bytes file, GError **error) {
  if (file.size == 0)
    return fail(error, SYMBOLS_ERROR_FORMAT, "it is empty");
  for (unsigned i = 0; i < G_N_ELEMENTS(others); i++)
    if (has_magic(file, others[i].offset, others[i].magic, others[i].size))
      return fail(error, SYMBOLS_ERROR_FORMAT, "%s", others[i].what);
  bool loaded = has_magic(file, 0, ELFMAG, SELFMAG) ? load_elf(symbols, file, error) : load_text(symbols, file, error);
  if (!loaded)
    return false;
  return symbols_seal(symbols) || fail(error, SYMBOLS_ERROR_FORMAT, "it has no name of any code");
}

/* What has no size, as pipes and files of /proc, is read to its end. */
static GBytes *read_stream(int fd, const char *path, GError **error) {
  g_autoptr(GError) why = NULL;
  gsize size;
  char *text = whole_file_read_fd(fd, path, STREAM_MAX, "list of symbols", &size, &why);

  if (text)
    return g_bytes_new_take(text, size);
  fail(error, SYMBOLS_ERROR_IO, "%s", why->message);
  return NULL;
}

/* Takes FD. MAPPED is left alone where the bytes are in no file. */
static GBytes *read_fd(int fd, const char *path, MappedFile **mapped, GError **error) {
  struct stat status;

  if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0) {
    *mapped = mapped_file_new_take_fd(fd, path, MAPPED_FILE_READ_ONCE, error);
    return *mapped ? mapped_file_bytes(*mapped) : NULL;
  }
  GBytes *bytes = read_stream(fd, path, error);
  g_close(fd, NULL);
  return bytes;
}

Symbols *symbols_load(const char *path, GError **error) {
  int fd = whole_file_open(path);
  g_autoptr(MappedFile) mapped = NULL;
  g_autoptr(GBytes) bytes = NULL;
  g_autoptr(Symbols) symbols = symbols_new();
  g_autoptr(GError) reason = NULL;
  Bytes file = {0};

  if (fd < 0)
    fail(&reason, SYMBOLS_ERROR_IO, "%s", g_strerror(errno));
  else
    bytes = read_fd(fd, path, &mapped, &reason);
  if (bytes)
    file.data = g_bytes_get_data(bytes, &file.size);
  bool loaded = bytes && load_bytes(symbols, file, &reason);
  if (mapped)
    mapped_file_blame(mapped, &reason);
  if (loaded && !reason)
    return g_steal_pointer(&symbols);
  g_propagate_prefixed_error(error, g_steal_pointer(&reason), "cannot read symbols from %s: ", path);
  return NULL;
}
