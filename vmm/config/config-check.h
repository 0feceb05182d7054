/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of a whole configuration (config_check), in pieces. */
#pragma once

#include <sys/stat.h>

#include "vmm/config/config.h"

/* Whether there is such a file, which can be read. Fills in STATUS. BLOCK: a block device will do as well. */
bool config_check_file(OptionDraft *draft, const char *where, const char *path, bool block, struct stat *status);
/* The same of a regular file, which has something in it. */
bool config_check_filled_file(OptionDraft *draft, const char *where, const char *path);

/*
 * PATH, that of KEY, can be a socket's: it is not too long, and nothing else is there. MADE: by this machine, unless
 * somebody listens there; so its directory has to be there.
 */
void config_check_socket(OptionDraft *draft, const char *where, const char *key, const char *path, bool made);
/* The same of one whose length is known to be right. */
void config_check_socket_place(OptionDraft *draft, const char *where, const char *key, const char *path, bool made);
/* Whether a file can be made at PATH: ERROR says why not. */
bool config_check_directory(const char *path, GError **error);

/* By what the guest knows the machine; what is derived of its name is settled. */
void config_check_identity(OptionDraft *draft, Config *config);
/* The system's disk, which becomes the first of the disks, and what comes with it where nothing is said. */
void config_check_system(OptionDraft *draft, Config *config);
/* What cloud-init is told, which becomes a disk. */
void config_check_seed(OptionDraft *draft, Config *config);
/* Disks: each, and all of them together; how many queues they have is settled. */
void config_check_disks(OptionDraft *draft, const Config *config);
/* Network cards: each, and all of them together. */
void config_check_nets(OptionDraft *draft, const Config *config);
/* A container image, and the words for what is in it: it becomes the root; and a kernel is found for it. */
void config_check_image(OptionDraft *draft, Config *config);
/* A line for the user, who made no mistake. */
void config_note_that(Config *config, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* The root: it becomes a disk, a shared directory, or nothing but itself. */
void config_check_rootfs(OptionDraft *draft, Config *config);
/* Tells an initramfs of the user's own where it is. */
void config_tell_root(Config *config);
/* Shared directories; one without a tag gets one. */
void config_check_shares(OptionDraft *draft, const Config *config);
/* Tells a guest that has systemd where each is to be mounted. */
void config_tell_mounts(Config *config);
/* A disk that has another format, or is on a network. */
void config_check_served(OptionDraft *draft, const DiskConfig *disk, const char *where);
/* Firmware, and the file of its variables; `auto` becomes the file that it stands for. */
void config_check_firmware(OptionDraft *draft, Config *config);

/* What the guest is given besides its kernel: items for firmware, an order to boot in, overlays, modules. */
void config_check_given(OptionDraft *draft, const Config *config);
