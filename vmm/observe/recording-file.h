/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file of a recording; docs/recording.md specifies it. All numbers are little-endian.
 *
 *   header   8 bytes "eretrec\n", u32 version, u32 bytes a record
 *   chunks   u32 type, u32 bytes of payload, payload
 *
 * A chunk of a type that is not known is skipped. Texts come before the first record that names them.
 */
#pragma once

#include <glib.h>
#include <stdint.h>

#if G_BYTE_ORDER != G_LITTLE_ENDIAN
#error "records go into the file as they lie in memory"
#endif

#define RECORDING_MAGIC      "eretrec\n"
#define RECORDING_MAGIC_SIZE 8
#define RECORDING_VERSION    1u

#define TRACE_REGION_RAM "RAM" /* the guest's memory, among the regions */

typedef enum { RECORDING_ERROR_FORMAT, RECORDING_ERROR_IO } RecordingError;
#define RECORDING_ERROR (recording_error_quark())
GQuark recording_error_quark(void);

#define RECORDING_CHUNK(a, b, c, d) ((uint32_t)(a) | (uint32_t)(b) << 8 | (uint32_t)(c) << 16 | (uint32_t)(d) << 24)

typedef enum {
  CHUNK_TEXTS = RECORDING_CHUNK('T', 'E', 'X', 'T'),   /* u32 number, u32 bytes, the bytes; repeated */
  CHUNK_RECORDS = RECORDING_CHUNK('R', 'E', 'C', 'S'), /* TraceRecord, repeated */
  CHUNK_FACTS = RECORDING_CHUNK('F', 'A', 'C', 'T'),   /* key NUL value NUL, repeated; a later value replaces an earlier one */
  CHUNK_REGIONS = RECORDING_CHUNK('M', 'A', 'P', ' '), /* RecordingRegion, repeated */
  CHUNK_END = RECORDING_CHUNK('E', 'N', 'D', ' '),     /* u64 lost, a number for each TraceSource: the recording is complete */
} RecordingChunkType;

typedef struct {
  char magic[RECORDING_MAGIC_SIZE];
  uint32_t version, record_size;
} RecordingHeader;

typedef struct {
  uint32_t type, size;
} RecordingChunk;

typedef struct {
  uint32_t name, reserved;
  uint64_t base, size;
} RecordingRegion;

#define RECORDING_TEXT_MAX  4096u       /* bytes of one text */
#define RECORDING_TEXTS_MAX 65536u      /* texts of a recording: the guest chooses some */
#define RECORDING_CHUNK_MAX (64u << 20) /* bytes of one payload */
