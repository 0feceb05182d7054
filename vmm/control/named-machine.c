/* SPDX-License-Identifier: Apache-2.0 */
/* A machine's name, held by its process. */
#include "vmm/control/named-machine.h"

#include <unistd.h>

#include "devices/backend/console-server.h"
#include "vmm/control/ssh-config.h"

struct NamedMachine {
  RuntimeDirectory *directory;
  KnownMachine known;           /* without a name: that is the directory's */
  void (*remove)(void *opaque); /* NULL: it is ours to end */
  void (*free_opaque)(void *opaque);
  void *opaque;
};

NamedMachine *named_machine_claim(const char *name, unsigned cpus, uint64_t memory, GError **error) {
  RuntimeDirectory *directory = runtime_directory_claim(name, error);

  if (!directory)
    return NULL;
  NamedMachine *named = g_new0(NamedMachine, 1);
  named->directory = directory;
  named->known = (KnownMachine){
      .life = MACHINE_STARTING, .pid = getpid(), .started = g_get_real_time() / G_USEC_PER_SEC, .cpus = cpus, .memory = memory};
  if (known_machine_publish(&named->known, directory, error))
    return named;
  named_machine_end(named, 0, false);
  return NULL;
}

CharBackend *named_machine_share_console(NamedMachine *named, CharBackend *console, bool types, GError **error) {
  int listener = runtime_directory_listen(named->directory, MACHINE_CONSOLE, error);

  return listener < 0 ? NULL : console_server_new_take_fd(listener, console, types);
}

int named_machine_open_log(NamedMachine *named, GError **error) {
  return runtime_directory_open_log(named->directory, MACHINE_LOG, error);
}

void named_machine_set_life(NamedMachine *named, MachineLife life) {
  g_autoptr(GError) error = NULL;

  named->known.life = life;
  named->known.pid = getpid();
  if (!known_machine_publish(&named->known, named->directory, &error))
    g_warning("--name: %s", error->message);
}

void named_machine_set_sockets(NamedMachine *named, uint32_t cid, const char *path) {
  g_free(named->known.sockets.path);
  named->known.sockets = (GuestSockets){.path = path ? g_canonicalize_filename(path, NULL) : NULL, .cid = cid};
}

void named_machine_set_sandbox(NamedMachine *named, const char *sandbox) {
  g_free(named->known.sandbox);
  named->known.sandbox = g_strdup(sandbox);
}

bool named_machine_offer_ssh(NamedMachine *named, const char *identity, GError **error) {
  g_autofree char *program = g_file_read_link("/proc/self/exe", error);
  const SshConfig config = {
      .name = named_machine_name(named), .directory = runtime_directory_path(named->directory), .program = program, .identity = identity};
  g_autofree char *text = program ? ssh_config_print(&config, error) : NULL;

  named->known.ssh = identity != NULL;
  return text && runtime_directory_write(named->directory, SSH_CONFIG_FILE, text, error);
}

bool named_machine_has_key(const NamedMachine *named) {
  return named->known.ssh;
}

const char *named_machine_name(const NamedMachine *named) {
  return runtime_directory_name(named->directory);
}

static void free_named(NamedMachine *named) {
  if (named->free_opaque)
    named->free_opaque(named->opaque);
  g_free(named->known.sockets.path);
  g_free(named->known.sandbox);
  g_free(named);
}

void named_machine_forget(NamedMachine *named) {
  runtime_directory_abandon(named->directory);
  free_named(named);
}

void named_machine_remove(void *named) {
  runtime_directory_remove(((const NamedMachine *)named)->directory);
}

int named_machine_descriptor(const NamedMachine *named) {
  return runtime_directory_descriptor(named->directory);
}

void named_machine_leave_to(NamedMachine *named, void (*remove)(void *opaque), void (*free_opaque)(void *opaque), void *opaque) {
  named->remove = remove;
  named->free_opaque = free_opaque;
  named->opaque = opaque;
}

void named_machine_end(NamedMachine *named, int status, bool keep) {
  if (!named)
    return;
  named->known.status = status;
  if (status != 0 && keep) {
    named_machine_set_life(named, MACHINE_FAILED_TO_LAST);
    runtime_directory_abandon(named->directory);
  } else if (named->remove) {
    named->remove(named->opaque);
    runtime_directory_abandon(named->directory);
  } else {
    runtime_directory_release(named->directory);
  }
  free_named(named);
}
