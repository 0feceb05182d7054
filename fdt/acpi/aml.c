/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The AML writer. A package's length comes before what is in it and has one to four bytes (ACPI 6.3, 20.2.4), so it is
 * put in when the package ends: one that is nested is moved by a few bytes then, which costs little at these sizes.
 */
#include "fdt/acpi/aml-internal.h"

#include <string.h>

#include "fdt/bytes.h"

#define NESTING_MAX 16

/* 20.2.1 to 20.2.6 */
enum {
  OP_NAME = 0x08,
  OP_BYTE = 0x0a,
  OP_WORD = 0x0b,
  OP_DWORD = 0x0c,
  OP_STRING = 0x0d,
  OP_QWORD = 0x0e,
  OP_SCOPE = 0x10,
  OP_BUFFER = 0x11,
  OP_PACKAGE = 0x12,
  OP_METHOD = 0x14,
  PREFIX_DUAL = 0x2e,
  PREFIX_MULTI = 0x2f,
  OP_EXTENDED = 0x5b,
  OP_LOCAL0 = 0x60,
  OP_ARG0 = 0x68,
  OP_DEVICE = 0x82, /* extended */
  OP_IF = 0xa0,
  OP_ELSE = 0xa1,
};
#define METHOD_SERIALIZED 0x08

struct Aml {
  GByteArray *bytes;
  unsigned depth;
  struct {
    guint start;    /* where the length goes */
    bool resources; /* a buffer, whose own size goes behind it */
  } open[NESTING_MAX];
};

Aml *aml_new(void) {
  Aml *aml = g_new0(Aml, 1);

  aml->bytes = g_byte_array_new();
  return aml;
}

void aml_free(Aml *aml) {
  if (!aml)
    return;
  g_byte_array_unref(aml->bytes);
  g_free(aml);
}

GByteArray *aml_finish(Aml *aml) {
  g_assert(aml->depth == 0);
  GByteArray *bytes = aml->bytes;
  aml->bytes = g_byte_array_new();
  return bytes;
}

static void begin(Aml *aml, bool resources) {
  g_assert(aml->depth < NESTING_MAX);
  aml->open[aml->depth].start = aml->bytes->len;
  aml->open[aml->depth++].resources = resources;
}

static void insert(GByteArray *bytes, guint at, const uint8_t *data, unsigned size) {
  guint tail = bytes->len - at;

  g_byte_array_set_size(bytes, bytes->len + size);
  memmove(bytes->data + at + size, bytes->data + at, tail);
  memcpy(bytes->data + at, data, size);
}

/* PkgLength counts its own bytes. */
static unsigned encode_length(uint8_t out[4], guint content) {
  enum { ONE_BYTE = 0x3f, LOW_BITS = 4 };
  unsigned more = 0;

  if (content + 1 <= ONE_BYTE) {
    out[0] = (uint8_t)(content + 1);
    return 1;
  }
  while (more < 3 && (more == 0 || content + 1 + more >= 1u << (LOW_BITS + 8 * more)))
    more++;
  guint length = content + 1 + more;
  g_assert(length < 1u << (LOW_BITS + 8 * 3));
  out[0] = (uint8_t)(more << 6 | (length & 0xf));
  for (unsigned i = 0; i < more; i++)
    out[1 + i] = (uint8_t)(length >> (LOW_BITS + 8 * i));
  return 1 + more;
}

static void end_resources(Aml *aml, guint start) {
  enum { TAG_END = 0x79 };
  g_autoptr(Aml) size = aml_new();

  bytes_u8(aml->bytes, TAG_END);
  bytes_u8(aml->bytes, 0); /* no checksum */
  aml_integer(size, aml->bytes->len - start);
  insert(aml->bytes, start, size->bytes->data, size->bytes->len);
}

void aml_end(Aml *aml) {
  uint8_t length[4];

  g_assert(aml->depth > 0);
  aml->depth--;
  guint start = aml->open[aml->depth].start;
  if (aml->open[aml->depth].resources)
    end_resources(aml, start);
  insert(aml->bytes, start, length, encode_length(length, aml->bytes->len - start));
}

/* A name of four letters, filled up. */
static void segment(Aml *aml, const char *name, size_t length) {
  static const char fill[4] = {'_', '_', '_', '_'};

  g_assert(length > 0 && length <= sizeof fill && !g_ascii_isdigit(*name));
  for (size_t i = 0; i < length; i++)
    g_assert(g_ascii_isupper(name[i]) || g_ascii_isdigit(name[i]) || name[i] == '_');
  g_byte_array_append(aml->bytes, (const guint8 *)name, (guint)length);
  g_byte_array_append(aml->bytes, (const guint8 *)fill, (guint)(sizeof fill - length));
}

void aml_path(Aml *aml, const char *path) {
  for (; *path == '\\' || *path == '^'; path++)
    bytes_u8(aml->bytes, (uint8_t)*path);
  g_auto(GStrv) segments = g_strsplit(path, ".", -1);
  unsigned n = g_strv_length(segments);
  g_assert(n <= UINT8_MAX);
  if (n == 0)
    bytes_u8(aml->bytes, 0); /* the root itself */
  if (n == 2)
    bytes_u8(aml->bytes, PREFIX_DUAL);
  if (n > 2) {
    bytes_u8(aml->bytes, PREFIX_MULTI);
    bytes_u8(aml->bytes, (uint8_t)n);
  }
  for (unsigned i = 0; i < n; i++)
    segment(aml, segments[i], strlen(segments[i]));
}

void aml_begin_scope(Aml *aml, const char *path) {
  bytes_u8(aml->bytes, OP_SCOPE);
  begin(aml, false);
  aml_path(aml, path);
}

void aml_begin_device(Aml *aml, const char *name) {
  bytes_u8(aml->bytes, OP_EXTENDED);
  bytes_u8(aml->bytes, OP_DEVICE);
  begin(aml, false);
  aml_path(aml, name);
}

void aml_begin_method(Aml *aml, const char *name, unsigned n_arguments) {
  g_assert(n_arguments <= 7);
  bytes_u8(aml->bytes, OP_METHOD);
  begin(aml, false);
  aml_path(aml, name);
  bytes_u8(aml->bytes, (uint8_t)(n_arguments | METHOD_SERIALIZED));
}

void aml_name(Aml *aml, const char *name) {
  bytes_u8(aml->bytes, OP_NAME);
  aml_path(aml, name);
}

void aml_integer(Aml *aml, uint64_t value) {
  if (value <= 1) {
    bytes_u8(aml->bytes, (uint8_t)value); /* Zero and One are operators */
  } else if (value <= UINT8_MAX) {
    bytes_u8(aml->bytes, OP_BYTE);
    bytes_u8(aml->bytes, (uint8_t)value);
  } else if (value <= UINT16_MAX) {
    bytes_u8(aml->bytes, OP_WORD);
    bytes_u16(aml->bytes, (uint16_t)value);
  } else if (value <= UINT32_MAX) {
    bytes_u8(aml->bytes, OP_DWORD);
    bytes_u32(aml->bytes, (uint32_t)value);
  } else {
    bytes_u8(aml->bytes, OP_QWORD);
    bytes_u64(aml->bytes, value);
  }
}

void aml_string(Aml *aml, const char *text) {
  bytes_u8(aml->bytes, OP_STRING);
  g_byte_array_append(aml->bytes, (const guint8 *)text, (guint)strlen(text) + 1);
}

void aml_bytes(Aml *aml, const void *bytes, size_t size) {
  bytes_u8(aml->bytes, OP_BUFFER);
  begin(aml, false);
  aml_integer(aml, size);
  g_byte_array_append(aml->bytes, bytes, (guint)size);
  aml_end(aml);
}

static uint8_t hex(char digit) {
  g_assert(g_ascii_isxdigit(digit));
  return (uint8_t)g_ascii_xdigit_value(digit);
}

void aml_eisa_id(Aml *aml, const char *id) {
  enum { LETTERS = 3, LENGTH = 7 };
  uint32_t value = 0;

  g_assert(strlen(id) == LENGTH);
  for (unsigned i = 0; i < LETTERS; i++)
    value = value << 5 | (uint32_t)(id[i] - '@'); /* five bits to a letter */
  for (unsigned i = LETTERS; i < LENGTH; i++)
    value = value << 4 | hex(id[i]);
  aml_integer(aml, GUINT32_SWAP_LE_BE(value));
}

void aml_uuid(Aml *aml, const char *uuid) {
  uint8_t bytes[BYTES_GUID_SIZE];

  bytes_parse_guid(uuid, bytes);
  aml_bytes(aml, bytes, sizeof bytes);
}

void aml_begin_package(Aml *aml, unsigned n) {
  g_assert(n <= UINT8_MAX);
  bytes_u8(aml->bytes, OP_PACKAGE);
  begin(aml, false);
  bytes_u8(aml->bytes, (uint8_t)n);
}

void aml_name_integer(Aml *aml, const char *name, uint64_t value) {
  aml_name(aml, name);
  aml_integer(aml, value);
}

void aml_name_string(Aml *aml, const char *name, const char *text) {
  aml_name(aml, name);
  aml_string(aml, text);
}

void aml_name_eisa_id(Aml *aml, const char *name, const char *id) {
  aml_name(aml, name);
  aml_eisa_id(aml, id);
}

void aml_op(Aml *aml, AmlOp op) {
  bytes_u8(aml->bytes, (uint8_t)op);
}

void aml_arg(Aml *aml, unsigned n) {
  g_assert(n < 7);
  bytes_u8(aml->bytes, (uint8_t)(OP_ARG0 + n));
}

void aml_local(Aml *aml, unsigned n) {
  g_assert(n < 8);
  bytes_u8(aml->bytes, (uint8_t)(OP_LOCAL0 + n));
}

void aml_begin_if(Aml *aml) {
  bytes_u8(aml->bytes, OP_IF);
  begin(aml, false);
}

void aml_begin_else(Aml *aml) {
  bytes_u8(aml->bytes, OP_ELSE);
  begin(aml, false);
}

void aml_begin_resources(Aml *aml) {
  bytes_u8(aml->bytes, OP_BUFFER);
  begin(aml, true);
}

GByteArray *aml_open_bytes(Aml *aml) {
  g_assert(aml->depth > 0 && aml->open[aml->depth - 1].resources);
  return aml->bytes;
}
