/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Little-endian numbers at the end of an array of bytes, or over what is there: what ACPI, SMBIOS and EFI tables are
 * made of.
 */
#pragma once

#include <glib.h>
#include <stdint.h>

#define BYTES_GUID_SIZE 16

void bytes_u8(GByteArray *bytes, uint8_t value);
void bytes_u16(GByteArray *bytes, uint16_t value);
void bytes_u32(GByteArray *bytes, uint32_t value);
void bytes_u64(GByteArray *bytes, uint64_t value);
void bytes_zero(GByteArray *bytes, unsigned n);
/* Exactly SIZE bytes of TEXT, with FILL behind it where it is shorter. */
void bytes_text(GByteArray *bytes, const char *text, unsigned size, char fill);
/* Zeros up to a multiple of ALIGNMENT bytes. */
void bytes_align(GByteArray *bytes, unsigned alignment);

/* SIZE bytes (1, 2, 4 or 8) at OFFSET, which are there. */
void bytes_set(GByteArray *bytes, guint offset, unsigned size, uint64_t value);
/* What makes the sum of SIZE bytes from OFFSET on zero, modulo 256, where the checksum's own byte is 0. */
uint8_t bytes_checksum(const uint8_t *bytes, size_t size);

/*
 * "33db4d5b-1ff7-401c-9657-7441c03dd766", whose case does not matter, as it lies in memory: the first three numbers
 * little-endian (UEFI Specification 2.10, appendix A). TEXT is this program's: a wrong one is a programming error.
 */
void bytes_parse_guid(const char *text, uint8_t guid[BYTES_GUID_SIZE]);
void bytes_guid(GByteArray *bytes, const char *text);
