/* SPDX-License-Identifier: Apache-2.0 */
/* From files to a booted machine's memory: opens kernel and initrd, plans where they go, and writes them there. */
#pragma once

#include "devices/guest-memory.h"
#include "vmm/boot/copy.h"
#include "vmm/boot/kernel.h"
#include "vmm/config/config.h"
#include "vmm/machine/platform.h"

typedef struct {
  const Config *config;
  MappedFile *kernel_file; /* NULL: none was asked for */
  KernelImage *kernel;     /* what it holds; NULL once it was let go */
  GBytes *program;         /* the same, for firmware to start; NULL: there is no firmware, or it finds something else */
  GBytes *initrd;          /* NULL: none */
  MappedFile *initrd_file; /* what it lies in; NULL: it is in memory */
  GBytes *tables;          /* ACPI and SMBIOS, where boot_plan has placed them; NULL: none */
  GPtrArray *module_files; /* of MappedFile: CONFIG's modules */
  GArray *modules;         /* of BootModule: the same, where boot_plan has placed them */
  GPtrArray *overlays;     /* of GBytes: CONFIG's overlays, as they are in their files */
  GPtrArray *items;        /* of GBytes: the contents of CONFIG's fw_cfg (vmm/machine/items.h) */
  Copy *copy;              /* of the kernel's segment COPIED, or NULL */
  const KernelSegment *copied;
} BootFiles;

/*
 * Opens and checks what CONFIG names; INITRD, unless NULL, takes the place of what it says. On failure nothing stays
 * open.
 */
bool boot_files_open(BootFiles *files, const Config *config, GBytes *initrd, GError **error);
void boot_files_close(BootFiles *files);

/*
 * What can be done before all is known: the kernel, unpacked again where another boot has had it, begins to be copied
 * to its place in memory, which is zero, while the caller goes on. Until boot_load or boot_files_close nobody else
 * touches that. Once begun, it does nothing.
 */
bool boot_begin_load(BootFiles *files, uint64_t ram_base, const GuestMemory *memory, GError **error);

/* Lays in the platform's firmware configuration device, where it has one, what belongs there. No vCPU runs. */
void boot_set_items(const BootFiles *files, const Platform *platform);

/*
 * Places the files and the platform's device tree, and its tables where it has any, and makes that tree, with SEED in
 * it.
 */
GBytes *boot_plan(BootFiles *files, const Platform *platform, const BootSeed *seed, BootPlacement *placement, GError **error);

/* Writes everything into guest memory, which is zero. A file that was changed since it was opened is an error. */
bool boot_load(BootFiles *files, const BootPlacement *placement, GBytes *fdt, const GuestMemory *memory, GError **error);

/* They are loaded: keeps only what the next boot cannot have from the files again. */
void boot_files_let_go(BootFiles *files);

/* Fresh random bytes from the host's kernel. */
void boot_seed_init(BootSeed *seed);
