/* SPDX-License-Identifier: Apache-2.0 */
/* Recognising image formats that hold a disk in another form than its bytes one after the other. */
#pragma once

#include <stddef.h>

/*
 * AUTO: a raw image, unless its first bytes are another format's: that is an error. RAW: whatever is in it is the
 * disk's bytes.
 */
typedef enum { DISK_IMAGE_FORMAT_AUTO, DISK_IMAGE_FORMAT_RAW } DiskImageFormat;

#define DISK_IMAGE_HEADER_SIZE 512 /* bytes at the start of an image in which every format that is known shows itself */

/*
 * The format whose mark HEADER, the first SIZE bytes of an image, bears ("qcow2"), or NULL for none: the bytes are a
 * disk's, as far as one can tell. Only the mark is looked at, so that no content of a file, which a guest may have
 * written, can do more than be refused.
 */
const char *disk_image_format_name(const void *header, size_t size);
