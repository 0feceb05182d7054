/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bare-metal programs: ELF64 little-endian executables for AArch64, loaded by physical address (System V ABI, "Object
 * Files" and "Program Header"; ELF for the Arm 64-bit Architecture). Linux's own vmlinux is refused by name: it is
 * linked to virtual addresses.
 */
#include <elf.h>

#include "vmm/boot/kernel-formats.h"

#define PROGRAM_HEADERS_MAX 64           /* a bare-metal program has a handful */
#define PHYSICAL_LIMIT      (1ull << 52) /* FEAT_LPA's physical addresses; a kernel's virtual ones lie far above */

static const struct {
  unsigned machine;
  const char *name;
} machines[] = {
    {EM_SPARC, "SPARC"},      {EM_386, "32-bit x86"}, {EM_68K, "68000"},       {EM_MIPS, "MIPS"},    {EM_PPC, "PowerPC"},
    {EM_PPC64, "PowerPC 64"}, {EM_S390, "IBM Z"},     {EM_ARM, "32-bit ARM"},  {EM_SH, "SuperH"},    {EM_SPARCV9, "SPARC 64"},
    {EM_IA_64, "Itanium"},    {EM_X86_64, "x86-64"},  {EM_AARCH64, "AArch64"}, {EM_RISCV, "RISC-V"}, {EM_BPF, "BPF"},
    {258, "LoongArch"}, /* EM_LOONGARCH, missing from older elf.h */
};

/* NULL: not known. */
static const char *name_of(unsigned machine) {
  for (unsigned i = 0; i < G_N_ELEMENTS(machines); i++) {
    if (machines[i].machine == machine)
      return machines[i].name;
  }
  return NULL;
}

bool kernel_is_elf(const uint8_t *data, gsize size) {
  return size >= SELFMAG && memcmp(data, ELFMAG, SELFMAG) == 0;
}

static bool fail(GError **error, KernelError code, const char *message) {
  g_set_error_literal(error, KERNEL_ERROR, code, message);
  return false;
}

/* The first 20 bytes are laid out alike in both classes; only the byte order differs. */
static bool check_identity(const uint8_t *data, gsize size, GError **error) {
  if (size < offsetof(Elf64_Ehdr, e_version))
    return fail(error, KERNEL_ERROR_CORRUPT, "it is an ELF file truncated within its header");
  bool big = data[EI_DATA] == ELFDATA2MSB;
  uint16_t machine = le16(data + offsetof(Elf64_Ehdr, e_machine));
  if (big)
    machine = GUINT16_SWAP_LE_BE(machine);
  if (machine != EM_AARCH64) {
    const char *name = name_of(machine);
    g_set_error(error, KERNEL_ERROR, KERNEL_ERROR_FORMAT, "it is an ELF file for %s (machine %u), and eret's guests are AArch64",
                name ? name : "another machine", machine);
    return false;
  }
  if (data[EI_CLASS] != ELFCLASS64)
    return fail(error, KERNEL_ERROR_UNSUPPORTED, "it is a 32-bit ELF file; eret starts 64-bit AArch64 guests");
  if (big)
    return fail(error, KERNEL_ERROR_UNSUPPORTED, "it is a big-endian AArch64 ELF file, and eret starts its guests little-endian");
  if (data[EI_DATA] != ELFDATA2LSB || data[EI_VERSION] != EV_CURRENT)
    return fail(error, KERNEL_ERROR_CORRUPT, "it is an ELF file with a damaged header");
  if (size < sizeof(Elf64_Ehdr))
    return fail(error, KERNEL_ERROR_CORRUPT, "it is an ELF file truncated within its header");
  return true;
}

static bool check_type(unsigned type, GError **error) {
  switch (type) {
  case ET_EXEC:
    return true;
  case ET_DYN:
    return fail(error, KERNEL_ERROR_UNSUPPORTED,
                "it is a position-independent ELF file (shared object or static PIE), whose relocations nobody would apply: link it with "
                "-no-pie -static to a fixed address");
  case ET_REL:
    return fail(error, KERNEL_ERROR_FORMAT, "it is an object file (.o) or kernel module (.ko): link it to an executable first");
  case ET_CORE:
    return fail(error, KERNEL_ERROR_FORMAT, "it is a core dump, not a kernel");
  default:
    return fail(error, KERNEL_ERROR_CORRUPT, "it is an ELF file of an unknown type; an executable (ET_EXEC) is wanted");
  }
}

static bool check_segment(const Elf64_Phdr *header, unsigned number, gsize size, GError **error) {
  const char *problem = NULL;
  uint64_t end;
  if (header->p_filesz > header->p_memsz)
    problem = "has more bytes in the file than in memory";
  else if (__builtin_add_overflow(header->p_offset, header->p_filesz, &end))
    problem = "has an impossible place in the file";
  else if (end > size)
    problem = "reaches beyond the end of the file: truncated?";
  else if (__builtin_add_overflow(header->p_vaddr, header->p_memsz, &end) || __builtin_add_overflow(header->p_paddr, header->p_memsz, &end))
    problem = "wraps around the end of the address space";
  if (problem) {
    g_set_error(error, KERNEL_ERROR, KERNEL_ERROR_CORRUPT, "it is an AArch64 ELF file whose program header %u %s", number, problem);
    return false;
  }
  if (end > PHYSICAL_LIMIT) {
    g_set_error(error, KERNEL_ERROR, KERNEL_ERROR_FORMAT,
                "it is an AArch64 ELF file linked to virtual addresses (0x%" G_GINT64_MODIFIER
                "x), as Linux's vmlinux is: for Linux take arch/arm64/boot/Image",
                (uint64_t)header->p_paddr);
    return false;
  }
  return true;
}

static bool overlaps(const KernelImage *image, uint64_t address, uint64_t memory_size) {
  for (unsigned i = 0; i < image->segments->len; i++) {
    const KernelSegment *other = &g_array_index(image->segments, KernelSegment, i);
    if (address < other->address + other->memory_size && other->address < address + memory_size)
      return true;
  }
  return false;
}

/*
 * e_entry is a virtual address: it counts where its segment lies physically. Zero-filled memory holds no instructions.
 */
static void find_entry(KernelImage *image, const Elf64_Phdr *header, uint64_t entry, bool *found) {
  if (*found || entry < header->p_vaddr || entry - header->p_vaddr >= header->p_filesz)
    return;
  image->entry = header->p_paddr + (entry - header->p_vaddr);
  *found = true;
}

static bool read_segments(KernelImage *image, const Elf64_Ehdr *elf, const uint8_t *data, gsize size, GError **error) {
  uint64_t first = UINT64_MAX, last = 0;
  bool entry_found = false;
  for (unsigned i = 0; i < elf->e_phnum; i++) {
    Elf64_Phdr header;
    memcpy(&header, data + elf->e_phoff + i * sizeof header, sizeof header);
    if (header.p_type == PT_INTERP)
      return fail(error, KERNEL_ERROR_FORMAT, "it is a dynamically linked program for Linux, not a kernel or bare-metal program");
    if (header.p_type != PT_LOAD || header.p_memsz == 0)
      continue;
    if (!check_segment(&header, i, size, error))
      return false;
    if (overlaps(image, header.p_paddr, header.p_memsz))
      return fail(error, KERNEL_ERROR_CORRUPT, "it is an AArch64 ELF file whose segments overlap in physical memory");
    kernel_image_add_segment(image, header.p_paddr, data + header.p_offset, header.p_filesz, header.p_memsz);
    find_entry(image, &header, elf->e_entry, &entry_found);
    first = MIN(first, header.p_paddr);
    last = MAX(last, header.p_paddr + header.p_memsz);
  }
  if (image->segments->len == 0)
    return fail(error, KERNEL_ERROR_CORRUPT, "it is an AArch64 ELF file with nothing to load (no PT_LOAD segment)");
  image->image_size = last - first;
  if (entry_found)
    return true;
  g_set_error(error, KERNEL_ERROR, KERNEL_ERROR_CORRUPT,
              "it is an AArch64 ELF file whose entry point 0x%" G_GINT64_MODIFIER "x lies in no loaded segment: set it with ENTRY() or -e",
              (uint64_t)elf->e_entry);
  return false;
}

KernelImage *kernel_parse_elf(GBytes *contents, GError **error) {
  G_STATIC_ASSERT(G_BYTE_ORDER == G_LITTLE_ENDIAN); /* headers are copied as they are */
  gsize size;
  const uint8_t *data = g_bytes_get_data(contents, &size);
  if (!check_identity(data, size, error))
    return NULL;
  Elf64_Ehdr elf;
  memcpy(&elf, data, sizeof elf);
  if (!check_type(elf.e_type, error))
    return NULL;
  if (elf.e_phentsize != sizeof(Elf64_Phdr) || elf.e_phnum == 0 || elf.e_phnum > PROGRAM_HEADERS_MAX) {
    fail(error, KERNEL_ERROR_CORRUPT, "it is an AArch64 ELF file without usable program headers (1 to 64 of 56 bytes are wanted)");
    return NULL;
  }
  if (elf.e_phoff > size || elf.e_phnum * sizeof(Elf64_Phdr) > size - elf.e_phoff) {
    fail(error, KERNEL_ERROR_CORRUPT, "it is an AArch64 ELF file whose program headers lie beyond its end: truncated?");
    return NULL;
  }
  g_autoptr(KernelImage) image = kernel_image_new("AArch64 ELF executable", contents);
  if (!read_segments(image, &elf, data, size, error))
    return NULL;
  return g_steal_pointer(&image);
}
