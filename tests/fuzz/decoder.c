/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The decoder of loads and stores (vmm/arm/load-store.c) against another one: objdump's. What it says of an instruction
 * is read back from its assembly and held against ours: kind, size, sign, registers, address, write-back.
 *
 * Usage: decoder words N SEED > FILE      N instructions that ours takes, at random, of all that it knows
 *        objdump -D -b binary -m aarch64 -z FILE | decoder compare
 */
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/arm/load-store.h"

#define MISMATCHES_MAX 20 /* that are shown */
#define OPERANDS_MAX   8

/* The words. */

/* Spaces of encodings in which ours finds something: DDI 0487, C4.1.94, and DC ZVA. */
static const struct {
  uint32_t mask, value;
} spaces[] = {
    {0x0a000000, 0x08000000}, {0x3f000000, 0x08000000}, {0x3f000000, 0x19000000}, {0x3b000000, 0x18000000}, {0x3a000000, 0x28000000},
    {0x3b200000, 0x38000000}, {0x3f200c00, 0x38200000}, {0x3b200c00, 0x38200800}, {0x3b000000, 0x39000000}, {0xbfbf0000, 0x0c000000},
    {0xbfa00000, 0x0c800000}, {0xbf9f0000, 0x0d000000}, {0xbf800000, 0x0d800000}, {0xffffffe0, 0xd50b7420},
};

/*
 * Bits that should be ones, in exclusives and ordered accesses (C4.1.94): a CPU does not look at them, and nor do we;
 * an assembler has no other form.
 */
static uint32_t set_ones(uint32_t word) {
  bool ordered = word >> 23 & 1, load = word >> 22 & 1, odd = word >> 21 & 1, wide = word >> 31 & 1;
  bool swaps = odd && (ordered || !wide);

  if ((word & 0x3f000000) != 0x08000000)
    return word;
  if (!(odd && !ordered && wide))
    word |= 31u << 10;
  return (load || ordered) && !swaps ? word | 31u << 16 : word;
}

/* What a CPU may do of it is not one thing: a base that is written twice, one register that is loaded twice. */
static bool is_certain(const A64Access *access) {
  bool pair = access->n_registers == 2 && access->kind == A64_LOAD && !access->structure;

  for (unsigned i = 0; i < access->n_registers && access->index != A64_OFFSET && !access->vector && access->base != 31; i++)
    if (access->registers[i] == access->base)
      return false;
  return !pair || access->registers[0] != access->registers[1];
}

static int write_words(unsigned n, unsigned seed) {
  g_autoptr(GRand) random = g_rand_new_with_seed(seed);
  A64Access access;

  for (unsigned written = 0, i = 0; written < n; i++) {
    uint32_t value = spaces[i % G_N_ELEMENTS(spaces)].value, mask = spaces[i % G_N_ELEMENTS(spaces)].mask;
    uint32_t word = set_ones(value | (g_rand_int(random) & ~mask)), stored = GUINT32_TO_LE(word);
    if (!a64_decode(word, &access) || !is_certain(&access))
      continue;
    written++;
    if (fwrite(&stored, sizeof stored, 1, stdout) != 1)
      return 1;
  }
  return 0;
}

/* What objdump says. */

typedef struct {
  uint64_t pc;
  uint32_t word;
  char mnemonic[16];
  char *operands[OPERANDS_MAX]; /* "x0", "[x1, x2, lsl #3]!", "{v0.8b, v1.8b}[2]", "#8" */
  unsigned n;
} Line;

static void line_clear(Line *line) {
  for (unsigned i = 0; i < line->n; i++)
    g_free(line->operands[i]);
}

/* Splits at commas outside of brackets; comments go. */
static void split_operands(Line *line, const char *text) {
  g_autofree char *bare = g_strndup(text, strcspn(text, "/;\n"));
  unsigned depth = 0;

  for (const char *start = bare, *at = bare;; at++) {
    depth += *at == '[' || *at == '{';
    depth -= *at == ']' || *at == '}';
    if (*at && (*at != ',' || depth))
      continue;
    if (line->n < OPERANDS_MAX && at > start)
      line->operands[line->n++] = g_strstrip(g_strndup(start, (gsize)(at - start)));
    if (!*at)
      return;
    start = at + 1;
  }
}

static bool line_parse(Line *line, const char *text) {
  int end = 0;

  memset(line, 0, sizeof *line);
  if (sscanf(text, " %" G_GINT64_MODIFIER "x: %x %15s %n", &line->pc, &line->word, line->mnemonic, &end) != 3 || !end)
    return false;
  split_operands(line, text + end);
  return true;
}

/* The number of a register "x3", "wzr", "sp", "q31"; -1: it is none. *SIZE: its bytes. */
static int register_of(const char *name, unsigned *size) {
  static const char letters[] = "bhswdxq";
  static const uint8_t sizes[] = {1, 2, 4, 4, 8, 8, 16};
  const char *letter = *name ? strchr(letters, *name) : NULL;

  *size = 8;
  if (strcmp(name, "sp") == 0)
    return 31;
  if (!letter)
    return -1;
  *size = sizes[letter - letters];
  return strcmp(name + 1, "zr") == 0 ? 31 : g_ascii_isdigit(name[1]) ? atoi(name + 1) : -1;
}

static int64_t number_of(const char *text) {
  const char *digits = text + (*text == '#');

  return *digits == '-' ? (int64_t)strtoll(digits, NULL, 0) : (int64_t)strtoull(digits, NULL, 0);
}

/* As ours has it. */

static bool is_one_of(const char *text, const char *const *names) {
  for (; *names; names++)
    if (g_str_has_prefix(text, *names))
      return true;
  return false;
}

static A64Kind kind_of(const Line *line) {
  static const char *const store_exclusive[] = {"stxr", "stlxr", "stxp", "stlxp", NULL};
  static const char *const load_exclusive[] = {"ldxr", "ldaxr", "ldxp", "ldaxp", NULL};
  static const char *const atomic[] = {"ldadd", "ldclr", "ldeor", "ldset",  "ldsmax", "ldsmin", "ldumax", "ldumin", "stadd",
                                       "stclr", "steor", "stset", "stsmax", "stsmin", "stumax", "stumin", "swp",    NULL};

  if (g_str_has_prefix(line->mnemonic, "prf"))
    return A64_NOTHING;
  if (strcmp(line->mnemonic, "dc") == 0)
    return A64_ZERO;
  if (g_str_has_prefix(line->mnemonic, "cas"))
    return A64_COMPARE_AND_SWAP;
  if (is_one_of(line->mnemonic, store_exclusive))
    return A64_STORE_EXCLUSIVE;
  if (is_one_of(line->mnemonic, load_exclusive))
    return A64_LOAD_EXCLUSIVE;
  if (is_one_of(line->mnemonic, atomic))
    return A64_ATOMIC;
  return line->mnemonic[0] == 's' ? A64_STORE : A64_LOAD;
}

static A64Atomic atomic_of(const char *mnemonic) {
  static const char *const names[] = {[A64_ADD] = "add",   [A64_CLR] = "clr",   [A64_EOR] = "eor",   [A64_SET] = "set",
                                      [A64_SMAX] = "smax", [A64_SMIN] = "smin", [A64_UMAX] = "umax", [A64_UMIN] = "umin"};

  for (unsigned i = 0; i < G_N_ELEMENTS(names); i++)
    if (g_str_has_prefix(mnemonic + 2, names[i]))
      return (A64Atomic)i;
  return A64_SWP;
}

/* Those before the address: which is the status, or the operands of an atomic, and which are what is moved. */
static void take_registers(const Line *line, A64Access *access, unsigned n) {
  bool first = access->kind == A64_STORE_EXCLUSIVE || access->kind == A64_ATOMIC || access->kind == A64_COMPARE_AND_SWAP;
  bool general = line->operands[0][0] == 'x' || line->operands[0][0] == 'w';
  unsigned size = 8, skip = first ? 1 : 0;

  if (access->kind == A64_NOTHING || access->kind == A64_ZERO)
    return;
  if (first)
    access->status = (unsigned)register_of(line->operands[0], &size);
  if (access->kind == A64_COMPARE_AND_SWAP && n == 4)
    skip = 2;
  for (unsigned i = skip; i < n; i++)
    access->registers[access->n_registers++] = (uint8_t)register_of(line->operands[i], &size);
  if (access->kind == A64_ATOMIC && !access->n_registers) /* ST...: what it loads goes nowhere */
    access->registers[access->n_registers++] = 31;
  access->vector = !general;
  access->size = size;
}

/* What the end of the mnemonic says of the size, and of the sign. */
static void take_size(const Line *line, A64Access *access) {
  const char *mnemonic = line->mnemonic;
  bool word = line->operands[0][0] == 'w';

  access->is_signed = access->kind == A64_LOAD && !access->vector &&
                      (g_str_has_suffix(mnemonic, "sb") || g_str_has_suffix(mnemonic, "sh") || g_str_has_suffix(mnemonic, "sw"));
  access->to_32_bits = access->is_signed && word;
  if (access->vector)
    return;
  if (g_str_has_suffix(mnemonic, "sw"))
    access->size = 4;
  else if (g_str_has_suffix(mnemonic, "b"))
    access->size = 1;
  else if (g_str_has_suffix(mnemonic, "h"))
    access->size = 2;
}

/* "{v0.8b-v3.8b}[2]" */
static void take_structure(const Line *line, A64Access *access) {
  const char *list = line->operands[0], *dot = strchr(list, '.'), *lane = strchr(list, '[');
  unsigned count = 1, first = (unsigned)atoi(list + 2), lanes = (unsigned)atoi(dot + 1);
  const char *element = dot + 1 + strspn(dot + 1, "0123456789"), *last = strrchr(list, 'v');

  register_of((const char[]){*element, '0', 0}, &access->size);
  count = ((unsigned)atoi(last + 1) + 32 - first) % 32 + 1;
  access->vector = access->structure = true;
  access->n_registers = count;
  for (unsigned i = 0; i < count && i < A64_REGISTERS_MAX; i++)
    access->registers[i] = (uint8_t)((first + i) % 32);
  access->replicate = g_str_has_suffix(line->mnemonic, "r");
  access->single = lane || access->replicate;
  access->lane = lane ? (unsigned)atoi(lane + 1) : 0;
  access->width = lanes ? lanes * access->size : 16;
  access->selected = (unsigned)(line->mnemonic[2] - '0');
  access->repeats = count / access->selected;
}

/* What moves the base: another register and how, or a number. */
static void take_offset(A64Access *access, char **parts, unsigned n) {
  static const char *const extends[] = {[2] = "uxtw", [3] = "lsl", [6] = "sxtw", [7] = "sxtx"};
  unsigned size;
  int index = register_of(parts[0], &size);

  if (index < 0) {
    access->offset = number_of(parts[0]);
    return;
  }
  access->register_offset = true;
  access->offset_register = (unsigned)index;
  access->extend = 3;
  for (unsigned i = 0; n > 1 && i < G_N_ELEMENTS(extends); i++)
    if (extends[i] && g_str_has_prefix(parts[1], extends[i]))
      access->extend = i;
  const char *shift = n > 1 ? strchr(parts[1], '#') : NULL;
  access->shift = shift ? (unsigned)number_of(shift) : 0;
}

static void take_address(const Line *line, A64Access *access, unsigned at) {
  g_autofree char *inner = g_strdup(line->operands[at] + 1);
  g_auto(GStrv) parts = NULL;
  unsigned size;

  access->index = g_str_has_suffix(inner, "!") ? A64_PRE_INDEX : at + 1 < line->n ? A64_POST_INDEX : A64_OFFSET;
  inner[strcspn(inner, "]")] = 0;
  parts = g_strsplit(inner, ",", -1);
  for (char **part = parts; *part; part++)
    g_strstrip(*part);
  access->base = (unsigned)register_of(parts[0], &size);
  if (access->index == A64_POST_INDEX)
    take_offset(access, (char **)line->operands + at + 1, 1);
  else if (parts[1])
    take_offset(access, parts + 1, g_strv_length(parts + 1));
}

static void take_line(const Line *line, A64Access *access) {
  unsigned address = 0;

  *access = (A64Access){.kind = kind_of(line)};
  while (address < line->n && line->operands[address][0] != '[')
    address++;
  if (line->operands[0][0] == '{') {
    take_structure(line, access);
  } else {
    take_registers(line, access, address == line->n ? 1 : address);
    if (access->kind != A64_NOTHING && access->kind != A64_ZERO)
      take_size(line, access);
  }
  if (access->kind == A64_ATOMIC)
    access->atomic = atomic_of(line->mnemonic);
  access->unprivileged = g_str_has_prefix(line->mnemonic, "ldtr") || g_str_has_prefix(line->mnemonic, "sttr");
  if (access->kind == A64_ZERO) {
    unsigned size;
    access->base = (unsigned)register_of(line->operands[1], &size);
  } else if (address < line->n) {
    take_address(line, access, address);
  } else { /* PC-relative: the address is shown */
    access->base = A64_LITERAL;
    access->offset = (int64_t)(strtoull(line->operands[1], NULL, 16) - line->pc);
  }
}

/* The comparison. */

static char *print(const A64Access *a) {
  GString *text = g_string_new(NULL);

  g_string_append_printf(text, "kind %d.%d size %u%s%s%s%s registers", a->kind, a->kind == A64_ATOMIC ? (int)a->atomic : 0, a->size,
                         a->vector ? " vector" : "", a->is_signed ? " signed" : "", a->to_32_bits ? " to-32" : "",
                         a->unprivileged ? " unprivileged" : "");
  for (unsigned i = 0; i < a->n_registers && i < A64_REGISTERS_MAX; i++)
    g_string_append_printf(text, " %u", a->registers[i]);
  if (a->kind == A64_STORE_EXCLUSIVE || a->kind == A64_ATOMIC || a->kind == A64_COMPARE_AND_SWAP)
    g_string_append_printf(text, " status %u", a->status);
  if (a->structure)
    g_string_append_printf(text, " structure%s%s lane %u width %u repeats %u selected %u", a->replicate ? " replicate" : "",
                           a->single ? " single" : "", a->lane, a->single && !a->replicate ? 16 : a->width, a->repeats, a->selected);
  g_string_append_printf(text, " base %u index %d", a->base, a->index);
  if (a->register_offset)
    g_string_append_printf(text, " + register %u extend %u shift %u", a->offset_register, a->extend, a->shift);
  else
    g_string_append_printf(text, " %+" G_GINT64_FORMAT, a->offset);
  return g_string_free(text, FALSE);
}

/* A prefetch moves nothing, so nothing else of it counts. */
static bool is_same(const Line *line) {
  A64Access ours, theirs;

  if (line->mnemonic[0] == '.' || !line->n || !a64_decode(line->word, &ours)) {
    printf("0x%08x: we take it, objdump says %s\n", line->word, line->mnemonic);
    return false;
  }
  take_line(line, &theirs);
  g_autofree char *our = print(&ours), *their = print(&theirs);
  if (strcmp(our, their) == 0 || (ours.kind == A64_NOTHING && theirs.kind == A64_NOTHING))
    return true;
  printf("0x%08x %s %s ...:\n  we say   %s\n  it means %s\n", line->word, line->mnemonic, line->operands[0], our, their);
  return false;
}

static int compare(void) {
  char text[256];
  unsigned n = 0, wrong = 0;

  while (fgets(text, sizeof text, stdin)) {
    Line line;
    if (!line_parse(&line, text))
      continue;
    n++;
    wrong += wrong < MISMATCHES_MAX && !is_same(&line);
    line_clear(&line);
  }
  printf("%u instructions, %u differ%s\n", n, wrong, wrong == MISMATCHES_MAX ? " or more" : "");
  return wrong > 0 || n == 0;
}

int main(int argc, char **argv) {
  if (argc == 4 && strcmp(argv[1], "words") == 0)
    return write_words((unsigned)atoi(argv[2]), (unsigned)atoi(argv[3]));
  if (argc == 2 && strcmp(argv[1], "compare") == 0)
    return compare();
  fprintf(stderr, "Usage: decoder words N SEED | decoder compare\n");
  return 2;
}
