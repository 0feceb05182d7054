/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where accesses of MSI-X structures go. At any offset and of any size the guest reads and changes the words of the
 * table, and reads the pending bits, that are there, and no other; what is read is what was written, where it may be. A
 * vector that a device signals is one of the table, or nothing happens. Here all are masked: no message is sent.
 *
 * bounds: 64 vectors at most, where eret has 256: CBMC does not get to the end of a table of those; none can fire
 * cbmc: --unwind 3 --unwindset any_msix.0:3
 * fault: devices/pci/msix.c s#offset % size == 0 \&\& ##
 * fault: devices/pci/msix.c s#offset < limit \&\& size#size#
 * fault: devices/pci/msix.c s#offset, size, sizeof msix->pending#offset, size, MSIX_MAX_VECTORS#
 * fault: devices/pci/msix.c s#<< vector % PBA_WORD_BITS#<< vector / PBA_WORD_BITS#
 * fault: devices/pci/msix.c s#>> (32 \* i)) \&#>> i) \&#
 * fault: devices/pci/msix.c s#entry_writable\[word % ENTRY_WORDS\]#entry_writable[i]#
 * fault: devices/pci/msix.c s#if (vector >= msix->n_vectors)#if (vector > msix->n_vectors)#
 */
#include "devices/pci/msix.h"
#include "tests/prove/glib-stubs.h"

/* The source takes all its sizes from this. */
#undef MSIX_MAX_VECTORS
#define MSIX_MAX_VECTORS 64
#include "devices/pci/msix.c"

static MsiX msix;

static void any_msix(void) {
  static GArray no_calls;

  msix.calls = &no_calls;
  msix.n_vectors = any_unsigned();
  assume(msix.n_vectors > 0 && msix.n_vectors <= MSIX_MAX_VECTORS);
  msix.enabled = any_bool();
  msix.function_mask = true;
  for (unsigned i = 0; i < G_N_ELEMENTS(msix.pending); i++)
    msix.pending[i] = any_unsigned();
}

/* SIZE is 4 or 8. */
static bool is_inside(uint64_t offset, unsigned size, uint64_t limit) {
  return offset % size == 0 && offset < limit && limit - offset >= size;
}

static bool bit_of(const uint32_t *words, uint64_t bit) {
  return words[bit / 32] >> bit % 32 & 1;
}

static void prove_bits(unsigned size) {
  uint64_t offset = any_u64();
  unsigned bit = any_unsigned();

  any_msix();
  assume(bit < 64);
  uint64_t bits = msix_pba_read(&msix, offset, size);
  bool there = is_inside(offset, size, MSIX_MAX_VECTORS / 8) && bit < 8 * size;
  prove((bits >> bit & 1) == (there && bit_of(msix.pending, 8 * offset + bit)));
}

static void prove_bits_of_words(void) {
  prove_bits(4);
}

static void prove_bits_of_two_words(void) {
  prove_bits(8);
}

static void prove_signalling(void) {
  unsigned vector = any_unsigned(), any = any_unsigned();

  any_msix();
  assume(any < MSIX_MAX_VECTORS);
  bool pended = bit_of(msix.pending, any);
  msix_signal(&msix, vector);
  prove(bit_of(msix.pending, any) == (pended || (vector == any && vector < msix.n_vectors && msix.enabled)));
}

static void prove_table_accesses(unsigned size) {
  static const uint32_t writable[] = {0xfffffffc, 0xffffffff, 0xffffffff, 1}; /* 7.7.2.5 to 7.7.2.8 */
  uint64_t offset = any_u64(), value = any_u64(), all;
  unsigned word = any_unsigned();

  any_msix();
  assume(word < G_N_ELEMENTS(msix.table));
  uint32_t before = msix.table[word] = any_unsigned();
  bool inside = is_inside(offset, size, 16 * (uint64_t)msix.n_vectors);
  uint32_t low = (uint32_t)value & writable[offset / 4 % 4], high = value >> 32 & writable[(offset / 4 + 1) % 4];
  msix_table_write(&msix, offset, size, value);
  if (inside && word == offset / 4)
    prove(msix.table[word] == low);
  else if (inside && size == 8 && word == offset / 4 + 1)
    prove(msix.table[word] == high);
  else
    prove(msix.table[word] == before);
  all = size == 8 ? (uint64_t)high << 32 | low : low;
  prove(msix_table_read(&msix, offset, size) == (inside ? all : 0));
}

static void prove_table_of_words(void) {
  prove_table_accesses(4);
}

static void prove_table_of_two_words(void) {
  prove_table_accesses(8);
}

static void prove_other_sizes(void) {
  uint64_t offset = any_u64();
  unsigned size = any_unsigned(), word = any_unsigned();

  any_msix();
  assume(size != 4 && size != 8 && word < G_N_ELEMENTS(msix.table));
  uint32_t before = msix.table[word] = any_unsigned();
  msix_table_write(&msix, offset, size, any_u64());
  prove(msix.table[word] == before);
  prove(msix_table_read(&msix, offset, size) == 0 && msix_pba_read(&msix, offset, size) == 0);
}
