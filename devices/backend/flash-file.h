/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file behind a bank of flash: the bank's bytes from the first one on, as other monitors have them too. Firmware is
 * read from one, and variables live in one.
 *
 * Of variables each change is in the file wholly or not at all, at whatever moment this process is killed. What lies in
 * one page of the page cache a single write(2) changes so. What does not, a block that is erased above all, is first
 * written down behind the end of the file, in one page again; then it is done; then the file gets its old end. A file
 * with such a record was left in the middle, and opening it carries the change out. What the host's kernel has not
 * written back when the host loses its power is another matter: that is asked for by flash_file_sync.
 *
 * Locks: none; one caller at a time. The lock on the file is advisory and on the whole of it (F_OFD_SETLK), as a disk
 * image has.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define FLASH_FILE_BLOCK       0x40000u /* bytes: what is erased at once, and of which a file of variables is a multiple */
#define FLASH_FILE_PROGRAM_MAX 1024u    /* bytes */

typedef struct FlashFile FlashFile;

typedef enum { FLASH_FILE_ERROR_OPEN, FLASH_FILE_ERROR_SIZE, FLASH_FILE_ERROR_BUSY, FLASH_FILE_ERROR_TORN } FlashFileError;
#define FLASH_FILE_ERROR (flash_file_error_quark())
GQuark flash_file_error_quark(void);

/* PATH, a regular file of 1 to SIZE_MAX_ bytes, to be read alone. */
FlashFile *flash_file_open_image(const char *path, uint64_t size_max, GError **error);
/*
 * PATH, to be changed: a regular file of whole blocks, at most SIZE_MAX_ bytes, that nobody else has open so. A change
 * that was begun is carried out.
 */
FlashFile *flash_file_open(const char *path, uint64_t size_max, GError **error);
/* The same questions without opening it for anything: what flash_file_open would say, but for who has it in use. */
bool flash_file_check(const char *path, uint64_t size_max, GError **error);
/*
 * The variables that come with the firmware at PATH, for a file of them to begin with: beside AAVMF_CODE.fd it is
 * AAVMF_VARS.fd, beside AAVMF_CODE.ms.fd AAVMF_VARS.ms.fd or else the first. NULL: there are none. Free with g_free.
 */
char *flash_file_template(const char *path);
/* Whether a file of variables of at most SIZE_MAX_ bytes can begin with what is in TEMPLATE. */
bool flash_file_check_template(const char *template, uint64_t size_max, GError **error);
/*
 * Makes PATH, which must not be there: as TEMPLATE, or, where that is NULL, of BLOCKS blocks that are erased. It is
 * there whole or not at all.
 */
bool flash_file_create(const char *path, const char *template, unsigned blocks, GError **error);
void flash_file_free(FlashFile *file); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(FlashFile, flash_file_free)

uint64_t flash_file_size(const FlashFile *file); /* bytes */
/*
 * Reads all of it into BYTES, of its size, which are zero: pages of zeros are not touched. A file that has become
 * shorter is an error.
 */
bool flash_file_read(const FlashFile *file, uint8_t *bytes, GError **error);

/*
 * SIZE bytes (at most FLASH_FILE_PROGRAM_MAX) from OFFSET on, inside the file, are BYTES now. False: errno says why
 * not.
 */
bool flash_file_program(FlashFile *file, uint64_t offset, const void *bytes, unsigned size);
/* The bytes of the block at OFFSET are 0xff now. False: errno says why not. */
bool flash_file_erase(FlashFile *file, uint64_t offset);
/* Waits until the host's disk has it all. */
void flash_file_sync(FlashFile *file);
