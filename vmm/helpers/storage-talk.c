/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each message is a line. What comes without being asked for, an event, has no "return" and no "error" in it, and is
 * passed over: how a job gets on is asked.
 */
#include "vmm/helpers/storage-talk.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devices/printable.h"
#include "vmm/base/json-writer.h"
#include "vmm/helpers/storage-cage.h"

#define PATIENCE_MS 30000 /* for an answer; an emulated host is slow */
#define JOB_STEP_US 2000
#define SAID_MIB    16 /* an image may have tens of thousands of snapshots, each with a name */

G_DEFINE_QUARK(eret_storage_talk_error, storage_talk_error)

static const JsonLimits limits = {.what = "message", .size_max = SAID_MIB << 20, .depth_max = 32};

struct StorageTalk {
  HelperProcess *process; /* NULL: somebody else's */
  int fd;
  unsigned patience_ms; /* for an answer */
  GString *heard;       /* what comes behind the last message that was taken */
};

/* What it says. */

static JsonNode *value(JsonObject *object, const char *name, GType type) {
  JsonNode *node = object ? json_object_get_member(object, name) : NULL;

  return node && JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == type ? node : NULL;
}

const char *storage_said_text(JsonObject *object, const char *name) {
  JsonNode *node = value(object, name, G_TYPE_STRING);

  return node ? json_node_get_string(node) : NULL;
}

int64_t storage_said_number(JsonObject *object, const char *name) {
  JsonNode *node = value(object, name, G_TYPE_INT64);

  return node ? json_node_get_int(node) : 0;
}

bool storage_said_true(JsonObject *object, const char *name) {
  JsonNode *node = value(object, name, G_TYPE_BOOLEAN);

  return node && json_node_get_boolean(node);
}

JsonObject *storage_said_object(JsonObject *object, const char *name) {
  JsonNode *node = object ? json_object_get_member(object, name) : NULL;

  return node && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
}

JsonArray *storage_said_list(JsonObject *object, const char *name) {
  JsonNode *node = object ? json_object_get_member(object, name) : NULL;

  return node && JSON_NODE_HOLDS_ARRAY(node) ? json_node_get_array(node) : NULL;
}

JsonObject *storage_said_element(JsonArray *list, unsigned index) {
  JsonNode *node = list && index < json_array_get_length(list) ? json_array_get_element(list, index) : NULL;

  return node && JSON_NODE_HOLDS_OBJECT(node) ? json_node_get_object(node) : NULL;
}

/* Listening. */

static bool fail(GError **error, const char *what) {
  g_set_error(error, HELPER_ERROR, HELPER_ERROR_START, "qemu-storage-daemon %s", what);
  return false;
}

static gint64 patience(const StorageTalk *talk) {
  return g_get_monotonic_time() + talk->patience_ms * G_GINT64_CONSTANT(1000);
}

/* Until there is something to hear; without a process, also until it is time to look how late it is. */
static bool wait_for_more(const StorageTalk *talk, unsigned ms, GError **error) {
  struct pollfd ready = {.fd = talk->fd, .events = POLLIN};

  if (talk->process)
    return helper_process_wait(talk->process, talk->fd, ms, error);
  return poll(&ready, 1, (int)ms) >= 0 || errno == EINTR || fail(error, "cannot be waited for");
}

/* Some more of what it says; who never ceases to talk does not answer, either. */
static bool hear(StorageTalk *talk, gint64 until, GError **error) {
  gint64 left = (until - g_get_monotonic_time()) / 1000;
  g_autoptr(GError) local = NULL;
  char bytes[4096];

  if (left < 0)
    return fail(error, "does not answer");
  if (!wait_for_more(talk, (unsigned)left, &local)) {
    if (g_get_monotonic_time() >= until)
      return fail(error, "does not answer");
    g_propagate_error(error, g_steal_pointer(&local));
    return false;
  }
  ssize_t got = recv(talk->fd, bytes, sizeof bytes, MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EINTR))
    return true;
  if (got <= 0)
    return fail(error, "has closed its connection");
  g_string_append_len(talk->heard, bytes, got);
  return talk->heard->len <= limits.size_max || fail(error, "says more than there can be to say of an image");
}

/* The next message, whatever it is. */
static JsonDocument *next_message(StorageTalk *talk, gint64 until, GError **error) {
  const char *end;

  while (!(end = memchr(talk->heard->str, '\n', talk->heard->len)))
    if (!hear(talk, until, error))
      return NULL;
  gssize size = end - talk->heard->str;
  g_autoptr(GError) local = NULL;
  g_autoptr(JsonDocument) document = json_document_parse(talk->heard->str, (size_t)size, &limits, &local);
  g_string_erase(talk->heard, 0, size + 1);
  if (document && JSON_NODE_HOLDS_OBJECT(json_document_root(document)))
    return g_steal_pointer(&document);
  fail(error, "says what is no QMP");
  return NULL;
}

/* Its own sentence; NULL: it does not refuse. */
static const char *refusal(JsonObject *answer) {
  JsonObject *problem = storage_said_object(answer, "error");
  const char *why = storage_said_text(problem, "desc");

  return problem && !why ? "it does not say why" : why;
}

static bool wait_for_room(const StorageTalk *talk, gint64 until) {
  struct pollfd ready = {.fd = talk->fd, .events = POLLOUT};
  gint64 left = (until - g_get_monotonic_time()) / 1000;

  return left >= 0 && (poll(&ready, 1, (int)left) >= 0 || errno == EINTR);
}

/* That it has ended, or does not listen, is heard when it is listened to. */
static void say(const StorageTalk *talk, const char *command, JsonNode *take_arguments, gint64 until) {
  g_autoptr(JsonBuilder) builder = json_builder_new();

  json_builder_begin_object(builder);
  json_add_text(builder, "execute", command);
  if (take_arguments) {
    json_builder_set_member_name(builder, "arguments");
    json_builder_add_value(builder, take_arguments);
  }
  json_builder_end_object(builder);
  g_autoptr(JsonNode) root = json_builder_get_root(builder);
  g_autofree char *text = json_print(root);
  for (size_t sent = 0, size = strlen(text); sent < size;) {
    ssize_t now = send(talk->fd, text + sent, size - sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (now < 0 && errno != EINTR && errno != EAGAIN)
      return;
    if (now < 0 && !wait_for_room(talk, until))
      return;
    sent += (size_t)MAX(now, 0);
  }
}

/* A line of text, whatever it has made of it. */
static void set_refused(GError **error, const char *why) {
  g_autofree char *shown = printable_line_escaped(why, -1);

  g_set_error_literal(error, STORAGE_TALK_ERROR, STORAGE_TALK_ERROR_REFUSED, shown);
}

JsonDocument *storage_talk_ask(StorageTalk *talk, const char *command, JsonNode *take_arguments, GError **error) {
  gint64 until = patience(talk);

  say(talk, command, take_arguments, until);
  for (;;) {
    g_autoptr(JsonDocument) document = next_message(talk, until, error);
    if (!document)
      return NULL;
    JsonObject *answer = json_node_get_object(json_document_root(document));
    const char *why = refusal(answer);
    if (why) {
      set_refused(error, why);
      return NULL;
    }
    if (json_object_has_member(answer, "return"))
      return g_steal_pointer(&document);
  }
}

bool storage_talk_do(StorageTalk *talk, const char *command, JsonNode *take_arguments, GError **error) {
  g_autoptr(JsonDocument) document = storage_talk_ask(talk, command, take_arguments, error);

  return document != NULL;
}

bool storage_talk_explain(const StorageDaemon *daemon, const StorageFile *file, const char *done, const GError *local, GError **error) {
  if (g_error_matches(local, STORAGE_TALK_ERROR, STORAGE_TALK_ERROR_REFUSED))
    storage_daemon_set_error(daemon, file, local->message, error);
  else
    storage_file_refuse(file, error, "was not %s: %s", done, local->message);
  return false;
}

/* Jobs. */

bool storage_talk_await_job(StorageTalk *talk, const char *id, GError **error) {
  gint64 until = patience(talk);

  for (;;) {
    g_autoptr(JsonDocument) document = storage_talk_ask(talk, "query-jobs", NULL, error);
    if (!document)
      return false;
    JsonArray *jobs = storage_said_list(json_node_get_object(json_document_root(document)), "return");
    JsonObject *job = storage_said_element(jobs, 0);
    const char *why = storage_said_text(job, "error");
    if (why) {
      set_refused(error, why);
      return false;
    }
    if (g_strcmp0(storage_said_text(job, "status"), "concluded") == 0)
      return storage_talk_do(talk, "job-dismiss", json_of_text("id", id), error);
    if (g_get_monotonic_time() > until)
      return fail(error, "does not come to an end");
    g_usleep(JOB_STEP_US);
  }
}

/* Life. */

static StorageTalk *talk_new(HelperProcess *take_process, int take_fd, unsigned patience_ms) {
  StorageTalk *talk = g_new0(StorageTalk, 1);

  *talk = (StorageTalk){.process = take_process, .fd = take_fd, .patience_ms = patience_ms, .heard = g_string_new(NULL)};
  return talk;
}

static StorageTalk *greet(StorageTalk *take_talk, GError **error) {
  g_autoptr(StorageTalk) talk = take_talk;
  g_autoptr(JsonDocument) greeting = next_message(talk, patience(talk), error);

  return greeting && storage_talk_do(talk, "qmp_capabilities", NULL, error) ? g_steal_pointer(&talk) : NULL;
}

StorageTalk *storage_talk_begin(const StorageDaemon *daemon, bool network, int file, GError **error) {
  g_autofree char *channel = g_strdup_printf("socket,id=talk,fd=%d", HELPER_FD);
  const char *const argv[] = {daemon->program, "--chardev", channel, "--monitor", "chardev=talk", NULL};
  const StorageCage cage = {.network = network, .brief = true};
  const HelperConfig config = {
      .name = "qemu-storage-daemon",
      .argv = argv,
      .is_noise = storage_daemon_is_noise,
      .set_up = {storage_cage_enter, &cage},
      .file = file,
  };
  int fd = -1;
  HelperProcess *process = helper_process_start(&config, &fd, error);

  return process ? greet(talk_new(process, fd, PATIENCE_MS), error) : NULL;
}

StorageTalk *storage_talk_begin_take_fd(int fd, unsigned patience_ms, GError **error) {
  return greet(talk_new(NULL, fd, patience_ms), error);
}

void storage_talk_end(StorageTalk *talk) {
  if (!talk)
    return;
  helper_process_free(talk->process);
  close(talk->fd);
  g_string_free(talk->heard, TRUE);
  g_free(talk);
}
