/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decompression of kernel images: one loop a library, all writing to one bounded, growing buffer.
 *
 * Formats: gzip RFC 1952 (zlib), zstd RFC 8878 (libzstd), lz4 frame and legacy (lz4's doc/lz4_Frame_format.md, liblz4).
 * A file may hold several streams one after the other (cat a.gz b.gz); that is part of each of these formats, so the
 * loops go on where another magic follows.
 */
#include "vmm/boot/decompress.h"

#include <lz4.h>
#include <lz4frame.h>
#include <stdbool.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "vmm/base/little-endian.h"
#include "vmm/boot/kernel-error.h"

#define GZIP_MAGIC             0x8b1f     /* RFC 1952, 2.3.1, ID1 and ID2 */
#define ZSTD_FRAME_MAGIC       0xfd2fb528 /* RFC 8878, 3.1.1 */
#define SKIPPABLE_MAGIC        0x184d2a50 /* RFC 8878, 3.1.2 and lz4_Frame_format.md: the low four bits are free */
#define SKIPPABLE_MAGIC_MASK   0xfffffff0
#define LZ4_FRAME_MAGIC        0x184d2204  /* lz4_Frame_format.md, "Magic Number" */
#define LZ4_LEGACY_FRAME_MAGIC 0x184c2102  /* lz4_Frame_format.md, "Legacy frame" */
#define LZ4_LEGACY_BLOCK       (8u << 20)  /* the same: every block but the last unpacks to this */
#define GZIP_WINDOW_BITS       (16 + 15)   /* zlib.h, inflateInit2: 16 asks for a gzip header, 15 is the largest window */
#define OUTPUT_FIRST           (64u << 10) /* first size of the buffer; it doubles from there */
#define LZ4_EXPANSION          255         /* no byte of lz4 data makes more than this many (lz4_Block_format.md: a length byte) */

/* What has been unpacked so far. CAPACITY goes to MAX + 1, so that "too large" is seen by the one byte too many. */
typedef struct {
  uint8_t *data;
  gsize size, capacity, max;
} Output;

static void output_clear(Output *output) {
  g_free(output->data);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Output, output_clear)

static void set_damaged(GError **error, Compression compression, const char *reason) {
  g_set_error(error, KERNEL_ERROR, KERNEL_ERROR_CORRUPT, "the %s data are damaged (%s)", decompress_name(compression), reason);
}

static void set_truncated(GError **error, Compression compression) {
  g_set_error(error, KERNEL_ERROR, KERNEL_ERROR_CORRUPT, "the %s data end too early: the file is truncated", decompress_name(compression));
}

/* Makes room for at least one more byte, and for WANTED where the limit allows. */
static bool output_reserve(Output *output, gsize wanted, GError **error) {
  if (output->size > output->max) {
    g_set_error(error, KERNEL_ERROR, KERNEL_ERROR_CORRUPT, "it unpacks to more than %" G_GSIZE_FORMAT " MiB, which no kernel needs",
                output->max >> 20);
    return false;
  }
  gsize capacity = MAX(output->capacity, OUTPUT_FIRST);
  while (capacity - output->size < wanted && capacity <= output->max)
    capacity *= 2;
  capacity = MIN(capacity, output->max + 1);
  if (capacity > output->capacity) {
    uint8_t *data = g_try_realloc(output->data, capacity);
    if (!data) {
      g_set_error(error, KERNEL_ERROR, KERNEL_ERROR_READ, "no memory for %" G_GSIZE_FORMAT " bytes of unpacked kernel", capacity);
      return false;
    }
    output->data = data;
    output->capacity = capacity;
  }
  return true;
}

static gsize output_room(const Output *output) {
  return output->capacity - output->size;
}

/* A frame of zstd or lz4, which share the skippable ones. */
static bool more_frames(const uint8_t *data, gsize size, uint32_t magic) {
  return size >= 4 && (le32(data) == magic || (le32(data) & SKIPPABLE_MAGIC_MASK) == SKIPPABLE_MAGIC);
}

static bool more_gzip(const uint8_t *data, gsize size) {
  return size >= 2 && le16(data) == GZIP_MAGIC;
}

static bool inflate_all(z_stream *stream, Output *output, GError **error) {
  for (;;) {
    if (!output_reserve(output, 1, error))
      return false;
    gsize room = output_room(output);
    stream->next_out = output->data + output->size;
    stream->avail_out = room;
    int status = inflate(stream, Z_NO_FLUSH);
    output->size += room - stream->avail_out;
    if (status == Z_STREAM_END) {
      if (!more_gzip(stream->next_in, stream->avail_in))
        return true;
      status = inflateReset(stream);
    }
    /* Z_BUF_ERROR: no progress, and there is room: the input has ended. */
    if (status == Z_BUF_ERROR)
      return set_truncated(error, COMPRESSION_GZIP), false;
    if (status != Z_OK)
      return set_damaged(error, COMPRESSION_GZIP, stream->msg ? stream->msg : zError(status)), false;
  }
}

static bool unpack_gzip(const uint8_t *data, gsize size, Output *output, GError **error) {
  z_stream stream = {.next_in = (uint8_t *)data, .avail_in = size};
  if (inflateInit2(&stream, GZIP_WINDOW_BITS) != Z_OK)
    return set_damaged(error, COMPRESSION_GZIP, "zlib cannot start"), false;
  bool done = inflate_all(&stream, output, error);
  inflateEnd(&stream);
  return done && output_reserve(output, 0, error);
}

static bool unpack_zstd(const uint8_t *data, gsize size, Output *output, GError **error) {
  ZSTD_DStream *stream = ZSTD_createDStream();
  ZSTD_inBuffer in = {.src = data, .size = size};
  bool done = false;
  while (!done && output_reserve(output, 1, error)) {
    ZSTD_outBuffer out = {.dst = output->data + output->size, .size = output_room(output)};
    gsize before = in.pos;
    size_t status = ZSTD_decompressStream(stream, &out, &in);
    output->size += out.pos;
    if (ZSTD_isError(status)) {
      set_damaged(error, COMPRESSION_ZSTD, ZSTD_getErrorName(status));
      break;
    }
    done = status == 0 && !more_frames(data + in.pos, size - in.pos, ZSTD_FRAME_MAGIC);
    if (!done && in.pos == before && out.pos == 0) {
      set_truncated(error, COMPRESSION_ZSTD);
      break;
    }
  }
  ZSTD_freeDStream(stream);
  return done && output_reserve(output, 0, error);
}

static bool unpack_lz4(const uint8_t *data, gsize size, Output *output, GError **error) {
  LZ4F_dctx *context = NULL;
  if (LZ4F_isError(LZ4F_createDecompressionContext(&context, LZ4F_VERSION)))
    return set_damaged(error, COMPRESSION_LZ4, "liblz4 cannot start"), false;
  gsize position = 0;
  bool done = false;
  while (!done && output_reserve(output, 1, error)) {
    size_t produced = output_room(output), consumed = size - position;
    size_t status = LZ4F_decompress(context, output->data + output->size, &produced, data + position, &consumed, NULL);
    if (LZ4F_isError(status)) {
      set_damaged(error, COMPRESSION_LZ4, LZ4F_getErrorName(status));
      break;
    }
    output->size += produced;
    position += consumed;
    done = status == 0 && !more_frames(data + position, size - position, LZ4_FRAME_MAGIC);
    if (!done && produced == 0 && consumed == 0) {
      set_truncated(error, COMPRESSION_LZ4);
      break;
    }
  }
  LZ4F_freeDecompressionContext(context);
  return done && output_reserve(output, 0, error);
}

/*
 * The legacy format has no end mark: a block that unpacks to less than 8 MiB is the last, and so is one at the end of
 * the file. What may follow: another magic and more blocks, zeros, the unpacked size in four bytes (the kernel's build
 * appends it), or anything at all after a short block.
 */
static bool unpack_lz4_legacy(const uint8_t *data, gsize size, Output *output, GError **error) {
  gsize position = 4, last = LZ4_LEGACY_BLOCK;
  while (position < size) {
    gsize left = size - position;
    uint32_t block = left >= 4 ? le32(data + position) : 0;
    if (block == LZ4_LEGACY_FRAME_MAGIC) {
      position += 4;
      last = LZ4_LEGACY_BLOCK;
      continue;
    }
    if (last < LZ4_LEGACY_BLOCK || (output->size && left >= 4 && block == 0) || (left == 4 && block == (uint32_t)output->size))
      break;
    if (left < 4 || block > left - 4)
      return set_truncated(error, COMPRESSION_LZ4_LEGACY), false;
    gsize wanted = MIN((gsize)block * LZ4_EXPANSION, LZ4_LEGACY_BLOCK);
    if (!output_reserve(output, wanted, error))
      return false;
    gsize room = MIN(output_room(output), LZ4_LEGACY_BLOCK);
    int unpacked = LZ4_decompress_safe((const char *)data + position + 4, (char *)output->data + output->size, block, room);
    if (unpacked <= 0 && room < wanted) {
      /* Most likely for want of room: the limit is near. */
      output->size = output->max + 1;
      return output_reserve(output, 0, error);
    }
    if (unpacked <= 0)
      return set_damaged(error, COMPRESSION_LZ4_LEGACY, "a block does not unpack"), false;
    last = unpacked;
    output->size += last;
    position += 4 + block;
  }
  if (output->size == 0)
    return set_truncated(error, COMPRESSION_LZ4_LEGACY), false;
  return output_reserve(output, 0, error);
}

static const struct {
  const char *name;
  uint32_t magic; /* of 32 bits; gzip's has fewer */
  bool (*unpack)(const uint8_t *data, gsize size, Output *output, GError **error);
} compressions[] = {
    [COMPRESSION_NONE] = {"none", 0, NULL},
    [COMPRESSION_GZIP] = {"gzip", 0, unpack_gzip},
    [COMPRESSION_ZSTD] = {"zstd", ZSTD_FRAME_MAGIC, unpack_zstd},
    [COMPRESSION_LZ4] = {"lz4", LZ4_FRAME_MAGIC, unpack_lz4},
    [COMPRESSION_LZ4_LEGACY] = {"lz4", LZ4_LEGACY_FRAME_MAGIC, unpack_lz4_legacy},
};

const char *decompress_name(Compression compression) {
  return compressions[compression].name;
}

Compression decompress_detect(const uint8_t *data, gsize size) {
  if (more_gzip(data, size))
    return COMPRESSION_GZIP;
  for (unsigned i = COMPRESSION_ZSTD; size >= 4 && i < G_N_ELEMENTS(compressions); i++)
    if (le32(data) == compressions[i].magic)
      return (Compression)i;
  return COMPRESSION_NONE;
}

GBytes *decompress_bytes(Compression compression, const uint8_t *data, gsize size, gsize max, GError **error) {
  g_return_val_if_fail(compression != COMPRESSION_NONE && max <= DECOMPRESS_MAX, NULL);
  g_auto(Output) output = {.max = max};
  /*
   * zlib counts in 32 bits. Compressed data grow by a few bytes at worst, so nothing beyond twice the limit can belong
   * to the stream.
   */
  size = MIN(size, 2 * (gsize)DECOMPRESS_MAX);
  if (!compressions[compression].unpack(data, size, &output, error))
    return NULL;
  uint8_t *exact = g_try_realloc(output.data, MAX(output.size, 1));
  uint8_t *result = exact ? exact : output.data;
  output.data = NULL;
  return g_bytes_new_with_free_func(result, output.size, g_free, result);
}
