/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names of guest code: a sorted table, looked up by bisection, and where the kernel really lies. Linux with KASLR
 * moves itself by multiples of 2 MiB (Documentation/arch/arm64/booting.rst and arch/arm64/kernel/pi/kaslr_early.c), but
 * for the part below 2 MiB that the loader chose: multiples of 64 KiB with EFI. ELF and AAELF64 (IHI 0056, 5.5.4
 * "mapping symbols") say which symbols are no names. No locks: once loaded only the slide changes.
 */
#include "vmm/trace/symbols.h"

#include <stdlib.h>
#include <string.h>

#include "vmm/trace/symbols-table.h"

/* Of a symbol without a size that none follows: the most that a function can be long. */
#define SIZE_MAX_UNKNOWN (UINT64_C(1) << 20)
/* How many symbols before an address are looked at: one may lie inside another. */
#define NESTING_MAX 8

Symbols *symbols_new(void) {
  Symbols *symbols = g_new0(Symbols, 1);
  symbols->table = g_array_new(FALSE, FALSE, sizeof(Symbol));
  symbols->names = g_string_chunk_new(1 << 16);
  return symbols;
}

void symbols_free(Symbols *symbols) {
  if (!symbols)
    return;
  g_array_unref(symbols->table);
  g_string_chunk_free(symbols->names);
  g_free(symbols);
}

/* "$x" and "$d" say what is code and what is data; ".L" labels are the assembler's own. */
static bool is_for_people(const char *name, size_t length) {
  return length > 0 && name[0] != '$' && !(length > 1 && name[0] == '.' && name[1] == 'L');
}

/* Names that mark where something begins or ends: another one of the same address says more. */
static bool is_marker(const char *name, size_t length) {
  static const char *const ends[] = {"_start", "_end", "_begin", "_text", "_stext", "_etext"};

  for (unsigned i = 0; i < G_N_ELEMENTS(ends); i++)
    if (length >= strlen(ends[i]) && !memcmp(name + length - strlen(ends[i]), ends[i], strlen(ends[i])))
      return true;
  return false;
}

/* "__pi_memcpy" is "memcpy": the fewer underscores, the better. */
static unsigned rank_of_name(const char *name, size_t length) {
  unsigned rank = is_marker(name, length) ? 0x100 : 0;

  for (size_t i = 0; i < length && i < 0xff && name[i] == '_'; i++)
    rank++;
  return rank;
}

void symbols_add(Symbols *symbols, uint64_t address, uint64_t size, const char *name, size_t length, unsigned rank) {
  if (!is_for_people(name, length))
    return;
  Symbol symbol = {
      .address = address,
      .size = size,
      .name = g_string_chunk_insert_len(symbols->names, name, (gssize)length),
      .rank = rank + rank_of_name(name, length),
  };
  g_array_append_val(symbols->table, symbol);
}

void symbols_add_boundary(Symbols *symbols, uint64_t address) {
  Symbol symbol = {.address = address, .rank = SYMBOL_RANK_BOUNDARY};
  g_array_append_val(symbols->table, symbol);
}

static int compare(gconstpointer a, gconstpointer b) {
  const Symbol *one = a, *other = b;

  if (one->address != other->address)
    return one->address < other->address ? -1 : 1;
  if (one->rank != other->rank)
    return one->rank < other->rank ? -1 : 1;
  return g_strcmp0(one->name, other->name); /* so that the order of the file does not matter */
}

static const Symbol *at(const Symbols *symbols, guint i) {
  return &g_array_index(symbols->table, Symbol, i);
}

bool symbols_seal(Symbols *symbols) {
  guint kept = 0;
  bool named = false;

  g_array_sort(symbols->table, compare);
  for (guint i = 0; i < symbols->table->len; i++) {
    Symbol symbol = *at(symbols, i);
    if (kept > 0 && at(symbols, kept - 1)->address == symbol.address)
      continue;
    named = named || symbol.name;
    g_array_index(symbols->table, Symbol, kept++) = symbol;
  }
  g_array_set_size(symbols->table, kept);
  return named;
}

/* Looking up; addresses as linked. */

/* How many symbols are not behind ADDRESS. */
static guint count_until(const Symbols *symbols, uint64_t address) {
  guint low = 0, high = symbols->table->len;

  while (low < high) {
    guint middle = low + (high - low) / 2;
    if (at(symbols, middle)->address <= address)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

/* How far the symbol with number I reaches. */
static uint64_t reach(const Symbols *symbols, guint i) {
  const Symbol *symbol = at(symbols, i);

  if (symbol->size)
    return symbol->size;
  if (i + 1 == symbols->table->len)
    return SIZE_MAX_UNKNOWN;
  return MIN(at(symbols, i + 1)->address - symbol->address, SIZE_MAX_UNKNOWN);
}

static const Symbol *find(const Symbols *symbols, uint64_t address) {
  guint count = count_until(symbols, address);

  for (guint i = count; i > 0 && count - i < NESTING_MAX; i--) {
    const Symbol *symbol = at(symbols, i - 1);
    if (!symbol->name)
      return NULL;
    if (address - symbol->address < reach(symbols, i - 1))
      return symbol;
  }
  return NULL;
}

static uint64_t linked(const Symbols *symbols, uint64_t address) {
  return address - (uint64_t)symbols->slide;
}

char *symbols_describe(const Symbols *symbols, uint64_t address) {
  const Symbol *symbol = symbols ? find(symbols, linked(symbols, address)) : NULL;

  if (!symbol)
    return NULL;
  uint64_t offset = linked(symbols, address) - symbol->address;
  return offset ? g_strdup_printf("%s+0x%" G_GINT64_MODIFIER "x", symbol->name, offset) : g_strdup(symbol->name);
}

/* The slide. */

#define PAGE_SIZE        UINT64_C(0x1000)
#define INSTRUCTION_SIZE 4
/* What is looked at: the places that call most. More would be the same few functions again, or nonsense. */
#define PLACES_MAX 64

/* HVC instructions of one address. */
typedef struct {
  uint64_t address;
  uint64_t count;
} Place;

/* How well a slide explains the places. */
typedef struct {
  int64_t slide;
  uint64_t in_hvc; /* in functions that are nothing but an HVC: __arm_smccc_hvc, arm_smccc_1_2_hvc */
  uint64_t in_smccc;
  uint64_t in_code; /* in any function */
  unsigned alignment;
} Fit;

static bool is_smccc(const char *name) {
  return name && strstr(name, "smccc");
}

static bool is_hvc(const char *name) {
  return is_smccc(name) && g_str_has_suffix(name, "_hvc");
}

static int compare_places(gconstpointer a, gconstpointer b) {
  const Place *one = a, *other = b;

  if (one->count != other->count)
    return one->count > other->count ? -1 : 1;
  return one->address < other->address ? -1 : one->address > other->address;
}

static int compare_addresses(const void *a, const void *b) {
  const uint64_t *one = a, *other = b;
  return *one < *other ? -1 : *one > *other;
}

/* The places of the HVC instructions before PCS, most frequent first; of Place. */
static GArray *places_new(const uint64_t *pcs, unsigned n) {
  GArray *places = g_array_new(FALSE, FALSE, sizeof(Place));
  g_autofree uint64_t *sorted = g_new(uint64_t, (gsize)n + 1);

  if (n > 0)
    memcpy(sorted, pcs, n * sizeof *pcs);
  qsort(sorted, n, sizeof *sorted, compare_addresses);
  for (unsigned i = 0; i < n; i++) {
    Place place = {.address = sorted[i] - INSTRUCTION_SIZE, .count = 1};
    if (i > 0 && sorted[i] == sorted[i - 1])
      g_array_index(places, Place, places->len - 1).count++;
    else
      g_array_append_val(places, place);
  }
  g_array_sort(places, compare_places);
  g_array_set_size(places, MIN(places->len, PLACES_MAX));
  return places;
}

/* Slides that Linux chooses more likely than others: none at all, then multiples of 2 MiB, then of 64 KiB. */
static unsigned alignment_of(int64_t slide) {
  if (slide == 0)
    return 3;
  if (slide % (INT64_C(1) << 21) == 0)
    return 2;
  return slide % (INT64_C(1) << 16) == 0 ? 1 : 0;
}

static Fit fit_of(const Symbols *symbols, const GArray *places, int64_t slide) {
  Fit fit = {.slide = slide, .alignment = alignment_of(slide)};

  for (guint i = 0; i < places->len; i++) {
    const Place *place = &g_array_index(places, Place, i);
    const Symbol *symbol = find(symbols, place->address - (uint64_t)slide);
    fit.in_code += symbol ? place->count : 0;
    fit.in_smccc += symbol && is_smccc(symbol->name) ? place->count : 0;
    fit.in_hvc += symbol && is_hvc(symbol->name) ? place->count : 0;
  }
  return fit;
}

/*
 * Kernels call by functions whose names say so, but the compiler also puts the instruction itself where it is needed.
 * If most are in the former it is that slide; if only some are, all others must at least be in functions, and the slide
 * must be one that is likely by itself.
 */
static bool is_good(const Fit *fit, uint64_t total) {
  if (fit->in_smccc == 0)
    return false;
  return fit->in_smccc >= total - fit->in_smccc || (fit->alignment > 0 && fit->in_code == total);
}

static bool is_better(const Fit *fit, const Fit *best) {
  if ((fit->alignment > 0) != (best->alignment > 0))
    return fit->alignment > 0;
  if (fit->in_hvc != best->in_hvc)
    return fit->in_hvc > best->in_hvc;
  if (fit->in_smccc != best->in_smccc)
    return fit->in_smccc > best->in_smccc;
  if (fit->in_code != best->in_code)
    return fit->in_code > best->in_code;
  if (fit->alignment != best->alignment)
    return fit->alignment > best->alignment;
  /* As numbers without a sign, so that the smallest there is has a size, too. */
  uint64_t size = fit->slide < 0 ? -(uint64_t)fit->slide : (uint64_t)fit->slide;
  uint64_t best_size = best->slide < 0 ? -(uint64_t)best->slide : (uint64_t)best->slide;
  return size < best_size || (size == best_size && fit->slide > best->slide);
}

/* The slide under which PLACE is in the function with number I, of less than a page: its offset in a page decides. */
static bool slide_of(const Symbols *symbols, guint i, const Place *place, int64_t *slide) {
  uint64_t distance = place->address - at(symbols, i)->address;

  *slide = (int64_t)(distance & ~(PAGE_SIZE - 1));
  return (distance & (PAGE_SIZE - 1)) < reach(symbols, i);
}

/*
 * Other kernels than Linux do not move: where nothing is called so, the addresses are those linked if they are in
 * functions at all.
 */
static bool fits_as_linked(const Symbols *symbols, const GArray *places) {
  for (guint i = 0; i < places->len; i++)
    if (!find(symbols, g_array_index(places, Place, i).address))
      return false;
  return places->len > 0;
}

bool symbols_find_slide(Symbols *symbols, const uint64_t *pcs, unsigned n) {
  g_autoptr(GArray) places = places_new(pcs, n);
  uint64_t total = 0;
  bool found = false, has_smccc = false;
  Fit best = {0};

  symbols->slide = 0;
  for (guint p = 0; p < places->len; p++)
    total += g_array_index(places, Place, p).count;
  for (guint i = 0; i < symbols->table->len; i++) {
    if (!is_smccc(at(symbols, i)->name))
      continue;
    has_smccc = true;
    for (guint p = 0; p < places->len; p++) {
      int64_t slide;
      if (!slide_of(symbols, i, &g_array_index(places, Place, p), &slide))
        continue;
      Fit fit = fit_of(symbols, places, slide);
      if (!is_good(&fit, total) || (found && !is_better(&fit, &best)))
        continue;
      best = fit;
      found = true;
    }
  }
  symbols->slide = best.slide;
  return found || (!has_smccc && fits_as_linked(symbols, places));
}
