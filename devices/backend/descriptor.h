/* SPDX-License-Identifier: Apache-2.0 */
/* Opening what may be anything, and writing all of what is to be written: open(2) and write(2) to the end. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/*
 * As open(2) with FLAGS, but it never waits: not for the other end of a FIFO (of one that nobody reads, opening for
 * writing is ENXIO), nor for a line's carrier, which becomes nobody's controlling terminal either. What is done with
 * the descriptor afterwards waits as usual. No child inherits it. -1: errno says why.
 */
int descriptor_open(const char *path, int flags);

/*
 * Whether FD, a regular file of no size, has something in it all the same, or will have: files in /proc are made as
 * they are read. What is to be said of such a one then.
 */
bool descriptor_is_made_as_read(int fd);
#define DESCRIPTOR_MADE_AS_READ "has no size, as files in /proc have none, which are made as they are read: make a copy of it"

/*
 * All SIZE bytes, waiting as long as it takes, also where another holder of the same description has made it
 * non-blocking. False: errno says why, and some may have been written.
 */
bool descriptor_write(int fd, const void *bytes, size_t size);
