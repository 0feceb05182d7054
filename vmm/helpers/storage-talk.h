/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A talk with a qemu-storage-daemon that serves nobody: what is an image like, can it be opened, make one. By QMP
 * (QEMU: docs/interop/qmp-spec.rst, qapi/), on its socket. It has read what is hostile by then, and so may be itself:
 * what it says is bounded in size and time.
 *
 * Main thread.
 */
#pragma once

#include "vmm/base/json-reader.h"
#include "vmm/helpers/storage-daemon.h"

typedef struct StorageTalk StorageTalk;

/* NETWORK: it may go there. FILE: its HELPER_FILE, or 0. Of what is wrong with the program itself the error tells. */
StorageTalk *storage_talk_begin(const StorageDaemon *daemon, bool network, int file, GError **error);
/*
 * The same with one that runs already, at the other end of FD, which is taken over, also on failure; it has so many
 * milliseconds for each answer.
 */
StorageTalk *storage_talk_begin_take_fd(int fd, unsigned patience_ms, GError **error);
void storage_talk_end(StorageTalk *talk); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(StorageTalk, storage_talk_end)

/*
 * It refused: the message is its own sentence, fit to be shown, for storage_daemon_set_error. Of others, HELPER_ERROR,
 * the message is for people as it is.
 */
#define STORAGE_TALK_ERROR (storage_talk_error_quark())
GQuark storage_talk_error_quark(void);
typedef enum { STORAGE_TALK_ERROR_REFUSED } StorageTalkError;

/* Has it do COMMAND with ARGUMENTS, taken over, or NULL; the root of what comes back is an object with "return". */
JsonDocument *storage_talk_ask(StorageTalk *talk, const char *command, JsonNode *take_arguments, GError **error);
/* The same, of what there is nothing to be known but that it was done. */
bool storage_talk_do(StorageTalk *talk, const char *command, JsonNode *take_arguments, GError **error);
/* The error of one who wanted FILE to be DONE, "opened", from LOCAL, that of a function here. False. */
bool storage_talk_explain(const StorageDaemon *daemon, const StorageFile *file, const char *done, const GError *local, GError **error);
/* Waits for the end of the job ID, and forgets it. */
bool storage_talk_await_job(StorageTalk *talk, const char *id, GError **error);

/* Members of what it says, whatever that is; NULL, 0, false: there is none of that kind. */
const char *storage_said_text(JsonObject *object, const char *name);
JsonObject *storage_said_object(JsonObject *object, const char *name);
JsonArray *storage_said_list(JsonObject *object, const char *name);
JsonObject *storage_said_element(JsonArray *list, unsigned index);
int64_t storage_said_number(JsonObject *object, const char *name);
bool storage_said_true(JsonObject *object, const char *name);
