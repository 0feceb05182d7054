/* SPDX-License-Identifier: Apache-2.0 */
/* Names of the files of a case. Pure, no lock. */
#pragma once

#define CASE_FILE_NAME_MAX 215 /* bytes: leaves room for a suffix, such as ".console", below the 255 of Linux's file systems (NAME_MAX) */

/*
 * What the names of the files of an attempt (from 1) at a case begin with, as "boot.console[kernel=6.12]~2": letters,
 * digits and "_-+=,@[]" as they are, dots as well but for those of the suite's name, other bytes as "%3A". A long one
 * ends in a hash (SHA-256) of all of it. Two attempts have the same only where suite, name and attempt are the same; no
 * name is longer than CASE_FILE_NAME_MAX. Free with g_free.
 */
char *case_file_name(const char *suite, const char *name, unsigned attempt);
