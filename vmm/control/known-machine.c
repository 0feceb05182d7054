/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A machine's file in its runtime directory. It is read as any other file: bounded, each value checked. That its
 * process lives is told by the lock alone; the number of the process is only how it is reached.
 */
#define _GNU_SOURCE /* struct ucred */
#include "vmm/control/known-machine.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "devices/printable.h"
#include "vmm/base/json-reader.h"
#include "vmm/base/json-writer.h"
#include "vmm/base/whole-file.h"

#define FORMAT_VERSION 1
#define SANDBOX_MAX    200 /* bytes that are read of it */

static const JsonLimits limits = {.what = "machine's file", .size_max = 1 << 20, .depth_max = 4};

static const char *const names[] = {
    [MACHINE_STARTING] = "starting",     [MACHINE_RUNNING] = "running", [MACHINE_PAUSED] = "paused",
    [MACHINE_FAILED_TO_LAST] = "failed", [MACHINE_CRASHED] = "crashed",
};

const char *machine_life_name(MachineLife life) {
  return names[life];
}

void known_machine_free(KnownMachine *machine) {
  if (!machine)
    return;
  g_free(machine->name);
  g_free(machine->sockets.path);
  g_free(machine->sandbox);
  g_free(machine);
}

bool known_machine_lives(const KnownMachine *machine) {
  return machine->life < MACHINE_FAILED_TO_LAST;
}

void known_machine_add_sockets(JsonBuilder *builder, const KnownMachine *machine) {
  if (machine->sockets.cid) {
    json_builder_set_member_name(builder, "vsock");
    json_builder_begin_object(builder);
    json_add_number(builder, "cid", machine->sockets.cid);
    json_add_text(builder, "unix", machine->sockets.path);
    json_builder_end_object(builder);
  }
  json_builder_set_member_name(builder, "ssh");
  json_builder_add_boolean_value(builder, machine->ssh);
}

bool known_machine_publish(const KnownMachine *machine, RuntimeDirectory *directory, GError **error) {
  g_autoptr(JsonBuilder) builder = json_builder_new();

  json_builder_begin_object(builder);
  json_add_number(builder, "version", FORMAT_VERSION);
  json_add_text(builder, "state", names[machine->life]);
  json_add_number(builder, "pid", machine->pid);
  json_add_number(builder, "started", machine->started);
  json_add_number(builder, "cpus", machine->cpus);
  json_add_number(builder, "memory", (int64_t)machine->memory);
  json_add_number(builder, "status", machine->status);
  known_machine_add_sockets(builder, machine);
  if (machine->sandbox)
    json_add_text(builder, "sandbox", machine->sandbox);
  json_builder_end_object(builder);
  g_autoptr(JsonNode) root = json_builder_get_root(builder);
  g_autofree char *text = json_print(root);
  return runtime_directory_write(directory, MACHINE_FILE, text, error);
}

static bool read_number(JsonObject *object, const char *name, int64_t min, int64_t max, int64_t *to) {
  JsonNode *node = json_object_get_member(object, name);

  if (!node || !JSON_NODE_HOLDS_VALUE(node) || json_node_get_value_type(node) != G_TYPE_INT64)
    return false;
  *to = json_node_get_int(node);
  return *to >= min && *to <= max;
}

static bool read_life(JsonObject *object, MachineLife *life) {
  JsonNode *node = json_object_get_member(object, "state");
  const char *text = node && JSON_NODE_HOLDS_VALUE(node) ? json_node_get_string(node) : NULL;

  for (unsigned i = 0; text && i < G_N_ELEMENTS(names); i++) {
    *life = (MachineLife)i;
    if (strcmp(names[i], text) == 0)
      return true;
  }
  return false;
}

/* Where there are none, there is no such member. */
static bool read_sockets(GuestSockets *sockets, JsonObject *object) {
  JsonNode *node = json_object_get_member(object, "vsock");
  int64_t cid;

  if (!node)
    return true;
  if (!JSON_NODE_HOLDS_OBJECT(node) || !read_number(json_node_get_object(node), "cid", 1, UINT32_MAX, &cid))
    return false;
  JsonNode *path = json_object_get_member(json_node_get_object(node), "unix");
  if (path && (!JSON_NODE_HOLDS_VALUE(path) || json_node_get_value_type(path) != G_TYPE_STRING))
    return false;
  *sockets = (GuestSockets){.path = path ? json_node_dup_string(path) : NULL, .cid = (uint32_t)cid};
  return true;
}

static bool read_flag(JsonObject *object, const char *name, bool *flag) {
  JsonNode *node = json_object_get_member(object, name);

  if (node && (!JSON_NODE_HOLDS_VALUE(node) || json_node_get_value_type(node) != G_TYPE_BOOLEAN))
    return false;
  *flag = node && json_node_get_boolean(node);
  return true;
}

static bool read_text(JsonObject *object, const char *name, char **text) {
  JsonNode *node = json_object_get_member(object, name);

  if (node && (!JSON_NODE_HOLDS_VALUE(node) || json_node_get_value_type(node) != G_TYPE_STRING))
    return false;
  *text = node ? printable_cut(json_node_get_string(node), SANDBOX_MAX) : NULL;
  return true;
}

static bool read_object(KnownMachine *machine, JsonObject *object) {
  int64_t version, pid, cpus, memory, status;

  if (!read_number(object, "version", FORMAT_VERSION, INT_MAX, &version) || !read_life(object, &machine->life) ||
      !read_number(object, "pid", 1, INT_MAX, &pid) || !read_number(object, "started", 0, INT64_MAX, &machine->started) ||
      !read_number(object, "cpus", 1, UINT16_MAX, &cpus) || !read_number(object, "memory", 0, INT64_MAX, &memory) ||
      !read_number(object, "status", 0, UINT8_MAX, &status) || !read_sockets(&machine->sockets, object) ||
      !read_flag(object, "ssh", &machine->ssh) || !read_text(object, "sandbox", &machine->sandbox))
    return false;
  machine->pid = (pid_t)pid;
  machine->cpus = (unsigned)cpus;
  machine->memory = (uint64_t)memory;
  machine->status = (int)status;
  return true;
}

static bool read_file(KnownMachine *machine, int directory, GError **error) {
  int fd = openat(directory, MACHINE_FILE, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  g_autofree char *text = NULL;
  struct stat status;
  gsize size;

  if (fd < 0 && errno == ENOENT)
    return true; /* it has just begun, or ended before it had said anything */
  if (fd < 0 || fstat(fd, &status) < 0)
    g_set_error(error, RUNTIME_ERROR, RUNTIME_ERROR_HOST, "%s", g_strerror(errno));
  else if (!S_ISREG(status.st_mode)) /* which somebody might have to be waited for to write */
    g_set_error(error, RUNTIME_ERROR, RUNTIME_ERROR_HOST, "it is not what eret %s writes", ERET_VERSION);
  else
    text = whole_file_read_fd(fd, MACHINE_FILE, limits.size_max, limits.what, &size, error);
  if (fd >= 0)
    close(fd);
  g_autoptr(JsonDocument) document = text ? json_document_parse(text, size, &limits, error) : NULL;
  if (!document)
    return false;
  JsonNode *root = json_document_root(document);
  if (JSON_NODE_HOLDS_OBJECT(root) && read_object(machine, json_node_get_object(root)))
    return true;
  g_set_error(error, RUNTIME_ERROR, RUNTIME_ERROR_HOST, "it is not what eret %s writes", ERET_VERSION);
  return false;
}

KnownMachine *known_machine_read(const char *name, GError **error) {
  RuntimeHolder holder;
  int directory = runtime_directory_look(name, &holder, error);
  g_autoptr(KnownMachine) machine = NULL;

  if (directory < 0)
    return NULL;
  machine = g_new0(KnownMachine, 1);
  machine->name = g_strdup(name);
  g_autoptr(GError) local = NULL;
  bool good = read_file(machine, directory, &local);
  close(directory);
  if (!good && holder == RUNTIME_HELD) {
    g_propagate_prefixed_error(error, g_steal_pointer(&local), "the file '" MACHINE_FILE "' of the machine '%s' cannot be read: ", name);
    return NULL;
  }
  /* Of one that is over a file that is none is no hindrance: what is left can be cleared away. */
  if (holder == RUNTIME_NOBODYS && (!good || known_machine_lives(machine)))
    machine->life = MACHINE_CRASHED;
  return g_steal_pointer(&machine);
}

/* That its file does not name a process which is another: the kernel knows who listens at its console. */
static bool listens_at_console(const KnownMachine *machine) {
  struct ucred peer = {0};
  socklen_t size = sizeof peer;
  int fd = runtime_directory_connect(machine->name, MACHINE_CONSOLE, NULL);
  bool same = fd >= 0 && getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.pid == machine->pid;

  if (fd >= 0)
    close(fd);
  return same;
}

int known_machine_open_process(const KnownMachine *machine, GError **error) {
  int fd = machine->pid > 0 ? (int)syscall(SYS_pidfd_open, machine->pid, 0) : -1;
  int code = errno;
  /*
   * Asked afterwards: if the machine still is there and is the same, its process has lived all the while, and the
   * number was its own when it was looked up.
   */
  g_autoptr(KnownMachine) now = known_machine_read(machine->name, NULL);
  bool same = now && known_machine_lives(now) && now->pid == machine->pid && (fd < 0 || listens_at_console(machine));

  if (fd >= 0 && same)
    return fd;
  if (fd >= 0)
    close(fd);
  if (!same || machine->pid <= 0)
    g_set_error(error, RUNTIME_ERROR, RUNTIME_ERROR_NONE, "the machine '%s' does not run%s", machine->name,
                now && known_machine_lives(now) ? " yet: it has not said which process it is; try again" : " any more");
  else
    g_set_error(error, RUNTIME_ERROR, RUNTIME_ERROR_HOST, "cannot reach the process of the machine '%s': %s", machine->name,
                g_strerror(code));
  return -1;
}
