/* From files to a booted machine's memory: opens kernel and initrd, plans where they go, and writes them there. */
#pragma once

#include "devices/guest-memory.h"
#include "vmm/boot/kernel.h"
#include "vmm/config.h"
#include "vmm/platform.h"

typedef struct {
  KernelImage *kernel; /* NULL: none was asked for */
  GBytes *initrd;      /* NULL: none */
} BootFiles;

/* Opens and checks what CONFIG names; INITRD, unless NULL, takes the place of what it says. On failure nothing stays open. */
bool boot_files_open(BootFiles *files, const Config *config, GBytes *initrd, GError **error);
void boot_files_close(BootFiles *files);

/* Places the files and the platform's device tree, and makes that tree, with SEED in it. */
GBytes *boot_plan(const BootFiles *files, const Platform *platform, const BootSeed *seed, BootPlacement *placement, GError **error);

/* Writes everything into guest memory, which is zero. */
bool boot_load(const BootFiles *files, const BootPlacement *placement, GBytes *fdt, const GuestMemory *memory, GError **error);

/* Fresh random bytes from the host's kernel. */
void boot_seed_init(BootSeed *seed);
