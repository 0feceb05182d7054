/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SMBIOS tables: who made the machine, and what it is made of. DMTF DSP0134, System Management BIOS Reference
 * Specification 3.2.
 */
#pragma once

#include <glib.h>
#include <stdint.h>

typedef struct {
  const char *version; /* of this program */
  unsigned n_cpus;
  uint64_t ram_base, ram_size; /* bytes */
  const char *uuid;            /* of the machine, as bytes_guid takes it; NULL: not set */
  const char *serial_number;   /* NULL: none */
} Smbios;

/* The structures, one after the other, up to the end-of-table structure. */
GBytes *smbios_structures(const Smbios *smbios);
/*
 * The 64-bit entry point (5.2.2) of SIZE bytes of structures at ADDRESS; for a firmware that places them itself,
 * ADDRESS is 0.
 */
GBytes *smbios_entry_point(uint64_t address, uint32_t size);

/* Their names as files of a firmware configuration device, as QEMU's. */
#define SMBIOS_FILE_ENTRY_POINT "etc/smbios/smbios-anchor"
#define SMBIOS_FILE_STRUCTURES  "etc/smbios/smbios-tables"
