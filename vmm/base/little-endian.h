/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers in files that were written by others: little-endian, and unaligned as likely as not. */
#pragma once

#include <glib.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t le16(const uint8_t *data) {
  uint16_t value;
  memcpy(&value, data, sizeof value);
  return GUINT16_FROM_LE(value);
}

static inline uint32_t le32(const uint8_t *data) {
  uint32_t value;
  memcpy(&value, data, sizeof value);
  return GUINT32_FROM_LE(value);
}

static inline uint64_t le64(const uint8_t *data) {
  uint64_t value;
  memcpy(&value, data, sizeof value);
  return GUINT64_FROM_LE(value);
}
