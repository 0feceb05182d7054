/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The place where machines with names are found while they run: a directory for each, with its sockets and what is
 * known of it, below $XDG_RUNTIME_DIR/eret (XDG Base Directory Specification); /run/eret where there is none and the
 * user is root. All of it is the user's alone.
 *
 * A directory belongs to the process that holds the lock on its file `lock`. The kernel takes that lock away with the
 * process, however it ends, so what a crash leaves behind is known for what it is: whoever wants the name next clears
 * it away.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/types.h>

#define RUNTIME_NAME_MAX 48 /* characters of a name: with the directory's path it must fit a socket's address */

typedef struct RuntimeDirectory RuntimeDirectory;

typedef enum {
  RUNTIME_ERROR_NAME,  /* it cannot be a name */
  RUNTIME_ERROR_TAKEN, /* another process has it */
  RUNTIME_ERROR_NONE,  /* there is no machine of that name */
  RUNTIME_ERROR_HOST,  /* the system refused */
} RuntimeError;
#define RUNTIME_ERROR (runtime_error_quark())
GQuark runtime_error_quark(void);

/* Whether NAME can be one: letters, digits, '.', '_', '-', of which the first is a letter or digit. */
bool runtime_name_is_valid(const char *name);
/* The directory of all machines, whether it is there or not; NULL: nobody has said where. Free with g_free. */
char *runtime_directory_base(GError **error);

/* Makes NAME this process's, empty, until it is released. */
RuntimeDirectory *runtime_directory_claim(const char *name, GError **error);
/* Removes it, with all that is in it. Takes NULL. */
void runtime_directory_release(RuntimeDirectory *directory);
/*
 * In a copy of this process, while this one has the lock: removes it. Nothing is freed or closed. It takes the one
 * descriptor.
 */
void runtime_directory_remove(const RuntimeDirectory *directory);
int runtime_directory_descriptor(const RuntimeDirectory *directory);
/* Gives up the lock, and leaves what is in it: what came of the machine can then be read. */
void runtime_directory_abandon(RuntimeDirectory *directory);
const char *runtime_directory_name(const RuntimeDirectory *directory);
/* Its path. FILE in it, with `g_build_filename`, is at most RUNTIME_FILE_MAX characters where it is a socket. */
const char *runtime_directory_path(const RuntimeDirectory *directory);
#define RUNTIME_FILE_MAX 16
/* A file in it, replaced as a whole. */
bool runtime_directory_write(RuntimeDirectory *directory, const char *file, const char *text, GError **error);
/* A file in it for output that grows; a descriptor, for reading too. -1: the error says why not. */
int runtime_directory_open_log(RuntimeDirectory *directory, const char *file, GError **error);
/* A listening stream socket in it; a descriptor. -1: the error says why not. */
int runtime_directory_listen(RuntimeDirectory *directory, const char *file, GError **error);

/* Another process's. */

/* Names of all that are there, sorted; empty where there is none. Free with g_ptr_array_unref. */
GPtrArray *runtime_directory_names(GError **error);
typedef enum { RUNTIME_NOBODYS, RUNTIME_HELD } RuntimeHolder;
/*
 * Opens the directory of NAME for reading and says whether a process holds it: a descriptor. -1: there is none, or it
 * cannot be trusted, as it is not the user's.
 */
int runtime_directory_look(const char *name, RuntimeHolder *holder, GError **error);
/* Connects to FILE, a socket, in the directory of NAME. -1: the error says why not. */
int runtime_directory_connect(const char *name, const char *file, GError **error);
/* Removes what NAME left when its process ended. False: it is held, or there is none. */
bool runtime_directory_clear(const char *name, GError **error);
