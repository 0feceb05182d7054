/* SPDX-License-Identifier: Apache-2.0 */
/* `eret run`: one machine, from flags to exit status. */
#include <stdio.h>
#include <string.h>

#include "devices/backend/message.h"
#include "vmm/cmd/command.h"
#include "vmm/cmd/complain.h"
#include "vmm/cmd/detach.h"
#include "vmm/cmd/image-waiting.h"
#include "vmm/cmd/plan.h"
#include "vmm/cmd/seed.h"
#include "vmm/config/board.h"
#include "vmm/exec/memory-check.h"
#include "vmm/exec/root-parts.h"
#include "vmm/machine/machine.h"

static void started(void *opaque) {
  detached_tell_started(opaque);
}

/* From here to the machine's end, with its exit status. */
static int run(const Config *config, GBytes *initrd, NamedMachine *named, Detached *detached) {
  const MachineClient client = {.named = named, .initrd = initrd, .started = started, .opaque = detached};
  g_autoptr(GError) error = NULL;
  g_autoptr(Machine) machine = machine_new(config, &client, message_say, &error);

  if (!machine)
    return complain_of(error, g_error_matches(error, MACHINE_ERROR, MACHINE_ERROR_NO_KVM) ? EXIT_NO_KVM : EXIT_HOST);
  MachineEnd end = machine_run(machine, &error);
  int code = machine_exit_code(machine), good = machine_lost_reports(machine) ? EXIT_HOST : EXIT_OK;
  g_clear_pointer(&machine, machine_free); /* the terminal is the user's again before anything is printed */
  if (end == MACHINE_POWERED_OFF || (end == MACHINE_EXITED && code == EXIT_OK))
    return good;
  if (end == MACHINE_EXITED)
    return code;
  if (end != MACHINE_FAILED)
    return end == MACHINE_RESET ? EXIT_GUEST_RESET : EXIT_STOPPED;
  return complain_of(error, g_error_matches(error, MACHINE_ERROR, MACHINE_ERROR_GUEST) ? EXIT_GUEST_ERROR : EXIT_HOST);
}

/* eret's own key for guests, where the guest is to have that and it was not there yet. */
static bool settle_ssh_key(Config *config, GError **error) {
  SshKey *key = NULL;

  if (!config->ssh || config->ssh_key)
    return true;
  key = ssh_key_make_own(error);
  if (key)
    config_take_ssh_key(config, key);
  else
    g_prefix_error(error, "--ssh: ");
  return key;
}

/*
 * Where there is a vsock, ssh can be told of it. Of a machine without --ssh only its guest knows who may log in; there
 * it is no failure when ssh cannot be told.
 */
static bool offer_ssh(const Config *config, NamedMachine *named, GError **error) {
  const char *identity = config->ssh_key ? config->ssh_key->identity : NULL;
  g_autoptr(GError) local = NULL;

  if (config->vsock->len == 0 || named_machine_offer_ssh(named, identity, &local) || !config->ssh)
    return true;
  g_propagate_prefixed_error(error, g_steal_pointer(&local), "--ssh: ");
  return false;
}

/* A machine with a name, which is kept where there is nobody to hear how it failed. */
static int run_named(const Config *config, GBytes *initrd) {
  Detached detached = {.ready_fd = -1};
  g_autoptr(GError) error = NULL;
  int status = EXIT_HOST;
  NamedMachine *named = named_machine_claim(config->name, config->cpus, config->memory, &error);

  if (!named)
    return complain_of(error, EXIT_HOST);
  if (!offer_ssh(config, named, &error)) {
    named_machine_end(named, 0, false);
    return complain_of(error, EXIT_HOST);
  }
  if (config->detach && !detach(named, &detached, &status, &error)) {
    if (!error)
      return status;
    named_machine_end(named, 0, false);
    return complain_of(error, EXIT_HOST);
  }
  status = run(config, initrd, named, &detached);
  bool failed = status != EXIT_OK && status != EXIT_GUEST_RESET && status != EXIT_STOPPED;
  named_machine_end(named, status, failed && config->detach && detached.ready_fd < 0);
  return status;
}

/* What runs on the console: what the container image has that is to be the root. */
static bool take_image(Config *config, Program *program, GError **error) {
  g_autoptr(ImageConfig) image = config_take_image(config, image_waiting_show, error);

  for (unsigned i = 0; i < config->command->len; i++)
    g_ptr_array_add(program->command, g_strdup(config->command->pdata[i]));
  if (!image || program_take_image(program, image, config->entrypoint, error))
    return image;
  g_prefix_error(error, "--image %s: ", config->image);
  return false;
}

/* Of a guest whose root is asked for, unless it has an initramfs of its own. NULL without an error: it needs none. */
static GBytes *make_initrd(Config *config, GError **error) {
  uint64_t files = 0;
  g_auto(Program) program = {0};

  program_init(&program);
  if (!config_makes_initrd(config) || (config->image && !take_image(config, &program, error)))
    return NULL;
  g_autoptr(GBytes) initrd = root_make_initramfs(config, config->image ? &program : NULL, &files, error);
  return initrd && exec_check_config(config, initrd, files, error) ? g_steal_pointer(&initrd) : NULL;
}

int cmd_run(int argc, char **argv) {
  g_autoptr(GError) error = NULL;
  bool help = false;

  for (int i = 0; i < argc; i++)
    if (strcmp(argv[i], "--version") == 0)
      return cmd_version(0, NULL);
  g_autoptr(Config) config = config_parse(argc, argv, &help, &error);

  if (!config)
    return answer(&config_option_set, error);
  if (!board_descriptors_suffice(config, &error))
    return complain_of(error, EXIT_HOST);
  complain_of_note(config);
  g_autoptr(GBytes) initrd = make_initrd(config, &error);
  if (error || (config_plans_only(config) && !plan(config, initrd, &error)))
    return complain_of(error, EXIT_HOST);
  if (config->dry_run || !config_boots(config))
    return EXIT_OK;
  if (!settle_ssh_key(config, &error) || !settle_seed(config, &error))
    return complain_of(error, EXIT_HOST);
  Detached nobody = {.ready_fd = -1};
  return config->name ? run_named(config, initrd) : run(config, initrd, NULL, &nobody);
}
