/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's console, kept: the last lines in memory, all of it in a file where one is wanted, each line with the
 * time of its first byte. No lock: one thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct ConsoleLog ConsoleLog;

#define CONSOLE_LOG_MAX (UINT64_C(1) << 30) /* bytes that a guest may write to a file */

/*
 * PATH may be NULL: no file. FILE_MAX: about how many bytes it may have; what comes then is left out, which the file
 * and a warning say. START_NS: what times are counted from.
 */
ConsoleLog *console_log_new(const char *path, uint64_t file_max, unsigned tail_lines, uint64_t start_ns, GError **error);
void console_log_free(ConsoleLog *log); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ConsoleLog, console_log_free)

void console_log_write(ConsoleLog *log, const void *bytes, size_t size, uint64_t ns);
/* Nothing more comes: the file is completed. False: part of it could not be written, which has been logged. */
bool console_log_finish(ConsoleLog *log);
/* The last lines, printable, each indented; also one that is not complete yet. Free with g_free. */
char *console_log_tail(const ConsoleLog *log);
