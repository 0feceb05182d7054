/* SPDX-License-Identifier: Apache-2.0 */
/* Decompression: every format whole, cut at every length, damaged, followed by something, and too large. */
#include "tests/unit/vmm/boot/fixtures.h"
#include "vmm/boot/decompress.h"
#include "vmm/boot/kernel-error.h"

#define PLAIN_SIZE 6000

typedef GByteArray *(*Pack)(const GByteArray *plain);
typedef struct {
  const char *name;
  Compression compression;
  Pack pack;
} Format;

static const Format formats[] = {
    {"gzip", COMPRESSION_GZIP, fixture_gzip},
    {"zstd", COMPRESSION_ZSTD, fixture_zstd},
    {"lz4", COMPRESSION_LZ4, fixture_lz4},
    {"lz4-legacy", COMPRESSION_LZ4_LEGACY, fixture_lz4_legacy},
};

static GBytes *unpack(const Format *format, const GByteArray *packed, gsize size, gsize max, GError **error) {
  /* An exact copy: reads behind the end are seen. */
  g_autofree guint8 *copy = g_memdup2(packed->data, size);
  return decompress_bytes(format->compression, copy, size, max, error);
}

static void assert_equal(GBytes *unpacked, const GByteArray *plain) {
  g_assert_nonnull(unpacked);
  g_assert_cmpmem(g_bytes_get_data(unpacked, NULL), g_bytes_get_size(unpacked), plain->data, plain->len);
}

static void test_whole(gconstpointer data) {
  const Format *format = data;
  static const guint sizes[] = {1, 2, 100, PLAIN_SIZE, 65535, 65536, 65537, 131072, 3 << 20, 8 << 20, (8 << 20) + 1, 17 << 20};
  /* Sizes around 8 MiB, the block of the legacy format, say nothing about the others, and take time. */
  guint count = G_N_ELEMENTS(sizes) - (format->compression == COMPRESSION_LZ4_LEGACY ? 0 : 3);
  for (guint i = 0; i < count; i++) {
    g_autoptr(GByteArray) plain = fixture_bytes(sizes[i]);
    g_autoptr(GByteArray) packed = format->pack(plain);
    g_autoptr(GError) error = NULL;
    g_assert_cmpint(decompress_detect(packed->data, packed->len), ==, format->compression);
    g_autoptr(GBytes) unpacked = unpack(format, packed, packed->len, DECOMPRESS_MAX, &error);
    g_assert_no_error(error);
    assert_equal(unpacked, plain);
  }
}

static void test_truncated(gconstpointer data) {
  const Format *format = data;
  g_autoptr(GByteArray) plain = fixture_bytes(PLAIN_SIZE);
  g_autoptr(GByteArray) packed = format->pack(plain);
  for (guint size = 4; size < packed->len; size++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) unpacked = unpack(format, packed, size, DECOMPRESS_MAX, &error);
    g_assert_error(error, KERNEL_ERROR, KERNEL_ERROR_CORRUPT);
    g_assert_null(unpacked);
    g_assert_nonnull(strstr(error->message, "truncated"));
  }
}

static void test_trailing(gconstpointer data) {
  const Format *format = data;
  g_autoptr(GByteArray) plain = fixture_bytes(PLAIN_SIZE);
  g_autoptr(GByteArray) packed = format->pack(plain);
  static const struct {
    const char *bytes;
    guint size;
  } garbage[] = {{"x", 1}, {"abc", 3}, {"\x70\x17\0\0", 4}, {"\xd0\x0d\xfe\xed a device tree", 18}, {"\0\0\0\0\0\0\0\0", 8}};
  for (guint i = 0; i < G_N_ELEMENTS(garbage); i++) {
    g_autoptr(GByteArray) longer = g_byte_array_new();
    g_byte_array_append(longer, packed->data, packed->len);
    g_byte_array_append(longer, (const guint8 *)garbage[i].bytes, garbage[i].size);
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) unpacked = unpack(format, longer, longer->len, DECOMPRESS_MAX, &error);
    g_assert_no_error(error);
    assert_equal(unpacked, plain);
  }
}

/* Two streams in one file unpack to both contents. */
static void test_concatenated(gconstpointer data) {
  const Format *format = data;
  g_autoptr(GByteArray) first = fixture_bytes(PLAIN_SIZE);
  g_autoptr(GByteArray) second = fixture_bytes(PLAIN_SIZE + 17);
  g_autoptr(GByteArray) packed = format->pack(first);
  g_autoptr(GByteArray) more = format->pack(second);
  g_byte_array_append(packed, more->data, more->len);
  g_byte_array_append(first, second->data, second->len);
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) unpacked = unpack(format, packed, packed->len, DECOMPRESS_MAX, &error);
  g_assert_no_error(error);
  assert_equal(unpacked, first);
}

static void test_bounded(gconstpointer data) {
  const Format *format = data;
  static const gsize limits[] = {1, 4095, PLAIN_SIZE - 1, PLAIN_SIZE, PLAIN_SIZE + 1};
  g_autoptr(GByteArray) plain = fixture_bytes(PLAIN_SIZE);
  g_autoptr(GByteArray) packed = format->pack(plain);
  for (guint i = 0; i < G_N_ELEMENTS(limits); i++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) unpacked = unpack(format, packed, packed->len, limits[i], &error);
    if (limits[i] >= PLAIN_SIZE) {
      g_assert_no_error(error);
      assert_equal(unpacked, plain);
      continue;
    }
    g_assert_error(error, KERNEL_ERROR, KERNEL_ERROR_CORRUPT);
    g_assert_nonnull(strstr(error->message, "unpacks to more than"));
  }
}

/* 64 MiB of zeros in a few KiB, against a limit of 4 MiB. */
static void test_bomb(gconstpointer data) {
  const Format *format = data;
  g_autoptr(GByteArray) plain = g_byte_array_new();
  g_byte_array_set_size(plain, 64 << 20);
  memset(plain->data, 0, plain->len);
  g_autoptr(GByteArray) packed = format->pack(plain);
  g_assert_cmpuint(packed->len, <, 1 << 20);
  g_autoptr(GError) error = NULL;
  g_assert_null(unpack(format, packed, packed->len, 4 << 20, &error));
  g_assert_error(error, KERNEL_ERROR, KERNEL_ERROR_CORRUPT);
  g_assert_nonnull(strstr(error->message, "more than 4 MiB"));
}

/* Any result will do, but for a crash or a silent failure; checksums see most damage, the legacy format has none. */
static void test_mutated(gconstpointer data) {
  const Format *format = data;
  g_autoptr(GByteArray) plain = fixture_bytes(PLAIN_SIZE);
  g_autoptr(GByteArray) packed = format->pack(plain);
  g_autoptr(GRand) random = g_rand_new_with_seed(1 + format->compression);
  guint refused = 0;
  for (guint round = 0; round < 3000; round++) {
    g_autoptr(GByteArray) damaged = g_byte_array_new();
    g_byte_array_append(damaged, packed->data, packed->len);
    for (guint n = g_rand_int_range(random, 1, 4); n > 0; n--)
      damaged->data[g_rand_int_range(random, 4, damaged->len)] ^= 1 << g_rand_int_range(random, 0, 8);
    g_autoptr(GError) error = NULL;
    g_autoptr(GBytes) unpacked = unpack(format, damaged, damaged->len, 1 << 20, &error);
    g_assert_true((unpacked == NULL) == (error != NULL));
    refused += error != NULL;
  }
  g_assert_cmpuint(refused, >, format->compression == COMPRESSION_LZ4_LEGACY ? 100 : 1500);
}

/* The size that the kernel's build appends, behind a last block of exactly 8 MiB, where only its value tells. */
static void test_legacy_size(void) {
  const Format *format = &formats[G_N_ELEMENTS(formats) - 1];
  g_autoptr(GByteArray) plain = fixture_bytes(8 << 20);
  g_autoptr(GByteArray) packed = format->pack(plain);
  guint32 size = GUINT32_TO_LE(plain->len);
  g_byte_array_append(packed, (const guint8 *)&size, 4);
  g_autoptr(GError) error = NULL;
  g_autoptr(GBytes) unpacked = unpack(format, packed, packed->len, DECOMPRESS_MAX, &error);
  g_assert_no_error(error);
  assert_equal(unpacked, plain);
  /* Another value is the size of a block that is not there. */
  put(packed, packed->len - 4, 4711, 4);
  g_assert_null(unpack(format, packed, packed->len, DECOMPRESS_MAX, &error));
  g_assert_error(error, KERNEL_ERROR, KERNEL_ERROR_CORRUPT);
}

static void test_detect(void) {
  g_assert_cmpint(decompress_detect((const guint8 *)"", 0), ==, COMPRESSION_NONE);
  g_assert_cmpint(decompress_detect((const guint8 *)"\x1f", 1), ==, COMPRESSION_NONE);
  g_assert_cmpint(decompress_detect((const guint8 *)"\x28\xb5\x2f", 3), ==, COMPRESSION_NONE);
  g_assert_cmpint(decompress_detect((const guint8 *)"\xfd"
                                                    "7zX",
                                    4),
                  ==, COMPRESSION_NONE);
  g_assert_cmpstr(decompress_name(COMPRESSION_GZIP), ==, "gzip");
  g_assert_cmpstr(decompress_name(COMPRESSION_ZSTD), ==, "zstd");
  g_assert_cmpstr(decompress_name(COMPRESSION_LZ4), ==, "lz4");
  g_assert_cmpstr(decompress_name(COMPRESSION_LZ4_LEGACY), ==, "lz4");
}

int main(int argc, char **argv) {
  static const struct {
    const char *name;
    GTestDataFunc function;
  } tests[] = {
      {"whole", test_whole},     {"truncated", test_truncated}, {"trailing", test_trailing}, {"concatenated", test_concatenated},
      {"bounded", test_bounded}, {"bomb", test_bomb},           {"mutated", test_mutated},
  };
  g_test_init(&argc, &argv, NULL);
  for (guint t = 0; t < G_N_ELEMENTS(tests); t++) {
    for (guint f = 0; f < G_N_ELEMENTS(formats); f++) {
      g_autofree char *path = g_strdup_printf("/decompress/%s/%s", tests[t].name, formats[f].name);
      g_test_add_data_func(path, &formats[f], tests[t].function);
    }
  }
  g_test_add_func("/decompress/lz4-legacy-size", test_legacy_size);
  g_test_add_func("/decompress/detect", test_detect);
  return g_test_run();
}
