/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `eret ssh NAME`: becomes ssh(1), told by a file in the machine's runtime directory (vmm/control/ssh-config.h) how the
 * machine is reached: by this command once more, with --proxy.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "vmm/base/mistakes.h"
#include "vmm/cmd/command.h"
#include "vmm/cmd/complain.h"
#include "vmm/cmd/one-machine.h"
#include "vmm/cmd/ssh-proxy.h"
#include "vmm/control/known-machine.h"
#include "vmm/control/ssh-config.h"

#define WAIT_DEFAULT 60
#define WAIT_MAX     86400

typedef struct {
  bool proxy;
  char *user;
  unsigned wait; /* seconds */
} Arguments;

static const Option options[] = {
    OPTION("user", STRING, Arguments, user, "USER", "Whom to log in as (default: root); USER@NAME says the same.", .letter = 'l'),
    OPTION("wait", NUMBER, Arguments, wait, "SECONDS", "How long to wait for a guest that does not listen yet (default: 60).",
           .max = WAIT_MAX, .unit = "seconds"),
    OPTION("proxy", FLAG, Arguments, proxy, NULL,
           "Only connect, and pass the connection on through standard output: for ssh's own ProxyCommand, with ProxyUseFdpass=yes."),
    OPTION_HELP_ROW,
    {.name = NULL},
};

const OptionSet ssh_option_set = {
    .command = "ssh",
    .usage = "Usage: eret ssh [OPTION]... [USER@]NAME [SSH-OPTION]... [COMMAND]...\n"
             "Log in to the guest of a machine that was given a name, or run a command there, by its vsock: neither side needs a network. "
             "The guest needs systemd 256 or newer, and sshd. What follows NAME is ssh's (-t, -L 8080:localhost:80), and so is the exit "
             "status.",
    .closing = "scp, sftp and rsync reach it as well, by the name NAME.eret: scp -F $XDG_RUNTIME_DIR/eret/NAME/ssh_config FILE NAME.eret:",
    .tables = {options},
    .operands_max = 1,
    .rest_follows = true,
};

static int become_ssh(const KnownMachine *machine, int wait, const char *user, const GPtrArray *rest) {
  g_autofree char *base = runtime_directory_base(NULL), *program = g_file_read_link("/proc/self/exe", NULL);
  g_autofree char *config = g_build_filename(base, machine->name, SSH_CONFIG_FILE, NULL), *host = ssh_config_host(machine->name);
  g_autofree char *proxy = ssh_config_proxy(program ? program : "eret", machine->name, wait);
  g_autofree char *option = g_strconcat("ProxyCommand=", proxy, NULL);
  g_autoptr(GPtrArray) argv = g_ptr_array_new();
  char *const first[] = {"ssh", "-F", config, "-o", option};

  if (access(config, R_OK) != 0) {
    complain_format("ssh cannot be told how the machine '%s' is reached: '%s': %s", machine->name, config, g_strerror(errno));
    return EXIT_HOST;
  }
  for (unsigned i = 0; i < G_N_ELEMENTS(first); i++)
    g_ptr_array_add(argv, first[i]);
  if (user) {
    g_ptr_array_add(argv, "-l");
    g_ptr_array_add(argv, (char *)user);
  }
  g_ptr_array_add(argv, host);
  for (unsigned i = 1; i < rest->len; i++)
    g_ptr_array_add(argv, rest->pdata[i]);
  g_ptr_array_add(argv, NULL);
  signal(SIGXFSZ, SIG_DFL); /* what is ignored here (vmm/main.c) would be there, too */
  execvp("ssh", (char **)argv->pdata);
  if (errno == ENOENT)
    complain("ssh is not installed (Debian: apt install openssh-client)");
  else
    complain_format("cannot start ssh: %s", g_strerror(errno));
  return EXIT_HOST;
}

static int log_in(const Arguments *arguments, const char *user, const char *name, const GPtrArray *rest) {
  gint64 began = g_get_monotonic_time();
  g_autoptr(GError) error = NULL;
  g_autoptr(KnownMachine) machine = ssh_await_machine(name, arguments->wait, &error); /* it says by then how it is reached */

  int waited = (int)((g_get_monotonic_time() - began) / G_USEC_PER_SEC);
  return machine ? become_ssh(machine, MAX((int)arguments->wait - waited, 0), user, rest) : complain_of(error, EXIT_HOST);
}

int cmd_ssh(int argc, char **argv) {
  Arguments arguments = {.wait = WAIT_DEFAULT};
  void *const records[] = {&arguments};
  g_autoptr(OptionDraft) draft = option_read(&ssh_option_set, records, argc, argv);
  int status;

  if (arguments.proxy && draft->operands->len > 1)
    mistake(draft->mistakes, "--proxy: it only connects; a command is for ssh");
  const char *operand = one_machine_of(draft, &status);
  if (operand) {
    const char *at = strrchr(operand, '@');
    g_autofree char *user = at ? g_strndup(operand, (gsize)(at - operand)) : g_strdup(arguments.user);
    const char *name = at ? at + 1 : operand;
    status = arguments.proxy ? ssh_proxy(name, arguments.wait) : log_in(&arguments, user, name, draft->operands);
  }
  option_record_clear(options, &arguments);
  return status;
}
