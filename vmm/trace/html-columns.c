/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Columns of numbers, in the form that page/data.js reads. A recording has hundreds of thousands of switches, and most
 * of what is to be said of one is the same as of another: neither text nor JSON would keep the page small. No locks:
 * pure functions.
 */
#include "vmm/trace/html-columns.h"

#include <zlib.h>

#if G_BYTE_ORDER != G_LITTLE_ENDIAN
#error "columns go into the page as they lie in memory"
#endif

static guint width_of(uint64_t greatest) {
  if (greatest <= UINT8_MAX)
    return 1;
  if (greatest <= UINT16_MAX)
    return 2;
  return greatest <= UINT32_MAX ? 4 : 8;
}

Column column_add(GByteArray *blob, const uint64_t *values, guint n) {
  static const uint8_t padding[8];
  uint64_t greatest = 0;

  for (guint i = 0; i < n; i++)
    greatest = MAX(greatest, values[i]);
  guint size = width_of(greatest);
  g_byte_array_append(blob, padding, (size - blob->len % size) % size);
  Column column = {.offset = blob->len, .size = size};
  /* The low bytes come first in memory. */
  for (guint i = 0; i < n; i++)
    g_byte_array_append(blob, (const uint8_t *)&values[i], size);
  return column;
}

void column_write(JsonBuilder *builder, GByteArray *blob, const char *name, const GArray *values) {
  Column column = column_add(blob, (const uint64_t *)(const void *)values->data, values->len);

  json_builder_set_member_name(builder, name);
  json_builder_begin_array(builder);
  json_builder_add_int_value(builder, column.offset);
  json_builder_add_int_value(builder, column.size);
  json_builder_add_int_value(builder, values->len);
  json_builder_end_array(builder);
}

char *column_encode(const GByteArray *blob) {
  uLongf size = compressBound(blob->len);
  g_autofree uint8_t *compressed = g_malloc(size);

  /*
   * The buffer is large enough for any input, and g_malloc does not fail: what remains is a lack of memory within zlib.
   */
  if (compress2(compressed, &size, blob->data ? blob->data : (const uint8_t *)"", blob->len, Z_DEFAULT_COMPRESSION) != Z_OK)
    g_error("zlib has no memory for %u bytes", blob->len);
  return g_base64_encode(compressed, size);
}
