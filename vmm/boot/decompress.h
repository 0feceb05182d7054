/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unpacks the compressions that arm64 kernels come in: gzip (RFC 1952), zstd (RFC 8878), and lz4 in its frame format
 * and in the legacy format that `lz4 -l` and the kernel's own build write. The result is bounded, so that a small file
 * cannot eat the host's memory.
 */
#pragma once

#include <glib.h>
#include <stdint.h>

typedef enum { COMPRESSION_NONE, COMPRESSION_GZIP, COMPRESSION_ZSTD, COMPRESSION_LZ4, COMPRESSION_LZ4_LEGACY } Compression;

/* No arm64 kernel comes near: the largest builds of distributions are some 60 MiB. */
#define DECOMPRESS_MAX (512u << 20)

/* By the magic number; COMPRESSION_NONE for anything else. */
Compression decompress_detect(const uint8_t *data, gsize size);
/* "gzip", "zstd", "lz4"; "none". */
const char *decompress_name(Compression compression);
/*
 * Unpacks at most MAX bytes. Data after the compressed stream is ignored: boot loaders and builds append sizes, device
 * trees and signatures. Errors: KERNEL_ERROR_CORRUPT (damaged, truncated, larger than MAX), without a file name.
 */
GBytes *decompress_bytes(Compression compression, const uint8_t *data, gsize size, gsize max, GError **error);
