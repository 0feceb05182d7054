/* SPDX-License-Identifier: Apache-2.0 */
#include "fdt.h"

#include "text.h"

/* The header's fields, big-endian words: 5.2. */
#define FDT_MAGIC          0xd00dfeed
#define HEADER_MAGIC       0
#define HEADER_OFF_STRUCT  8
#define HEADER_OFF_STRINGS 12

/* Tokens of the structure block: 5.4. */
enum { TOKEN_BEGIN_NODE = 1, TOKEN_END_NODE = 2, TOKEN_PROP = 3, TOKEN_NOP = 4 };

#define WORD 4

static uint32_t word(const void *fdt, uint32_t offset) {
  const uint8_t *bytes = (const uint8_t *)fdt + offset;
  return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

static uint32_t align_word(uint32_t offset) {
  return (offset + WORD - 1) & ~(uint32_t)(WORD - 1);
}

bool fdt_is_valid(const void *fdt) {
  return fdt && (uintptr_t)fdt % 8 == 0 && word(fdt, HEADER_MAGIC) == FDT_MAGIC;
}

const char *fdt_name(const void *fdt, FdtNode node) {
  return (const char *)fdt + node;
}

/* Behind the property whose length word is at OFFSET: length, name, value. */
static uint32_t skip_property(const void *fdt, uint32_t offset) {
  return align_word(offset + 2 * WORD + word(fdt, offset));
}

FdtNode fdt_next(const void *fdt, FdtNode node) {
  uint32_t at = node ? align_word(node + (uint32_t)text_length(fdt_name(fdt, node)) + 1) : word(fdt, HEADER_OFF_STRUCT);

  for (;;) {
    uint32_t token = word(fdt, at);
    at += WORD;
    if (token == TOKEN_BEGIN_NODE)
      return at;
    if (token == TOKEN_PROP)
      at = skip_property(fdt, at);
    else if (token != TOKEN_END_NODE && token != TOKEN_NOP)
      return FDT_NONE;
  }
}

/* A node's properties come before its children. */
const void *fdt_property(const void *fdt, FdtNode node, const char *name, uint32_t *size) {
  if (!node)
    return NULL;
  uint32_t at = align_word(node + (uint32_t)text_length(fdt_name(fdt, node)) + 1);
  for (;;) {
    uint32_t token = word(fdt, at);
    at += WORD;
    if (token == TOKEN_NOP)
      continue;
    if (token != TOKEN_PROP)
      return NULL;
    if (text_equal((const char *)fdt + word(fdt, HEADER_OFF_STRINGS) + word(fdt, at + WORD), name)) {
      *size = word(fdt, at);
      return (const char *)fdt + at + 2 * WORD;
    }
    at = skip_property(fdt, at);
  }
}

uint32_t fdt_cell(const void *fdt, FdtNode node, const char *name, unsigned index, uint32_t fallback) {
  uint32_t size;
  const void *value = fdt_property(fdt, node, name, &size);
  return value && (index + 1) * WORD <= size ? word(value, index * WORD) : fallback;
}

const char *fdt_string(const void *fdt, FdtNode node, const char *name) {
  uint32_t size;
  return fdt_property(fdt, node, name, &size);
}

bool fdt_reg(const void *fdt, FdtNode node, unsigned index, uint64_t *base, uint64_t *size) {
  uint32_t bytes, at = index * 4 * WORD;
  const void *reg = fdt_property(fdt, node, "reg", &bytes);

  if (!reg || at + 4 * WORD > bytes)
    return false;
  *base = (uint64_t)word(reg, at) << 32 | word(reg, at + WORD);
  *size = (uint64_t)word(reg, at + 2 * WORD) << 32 | word(reg, at + 3 * WORD);
  return true;
}

/* `compatible` is a list of strings, each with its zero byte. */
static bool lists(const char *list, uint32_t size, const char *wanted) {
  for (uint32_t at = 0; at < size; at += (uint32_t)text_length(list + at) + 1)
    if (text_equal(list + at, wanted))
      return true;
  return false;
}

FdtNode fdt_find_compatible(const void *fdt, const char *compatible) {
  FdtNode node = FDT_NONE;
  while ((node = fdt_next(fdt, node))) {
    uint32_t size;
    const char *list = fdt_property(fdt, node, "compatible", &size);
    if (list && lists(list, size, compatible))
      break;
  }
  return node;
}

FdtNode fdt_find_name(const void *fdt, const char *name) {
  size_t length = text_length(name);
  FdtNode node = FDT_NONE;
  while ((node = fdt_next(fdt, node))) {
    const char *found = fdt_name(fdt, node);
    if (text_starts(found, name) && (found[length] == '\0' || found[length] == '@'))
      break;
  }
  return node;
}
