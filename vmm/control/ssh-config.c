/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connection is made by eret, which hands ssh the socket (ProxyUseFdpass) and is gone: no process is between the
 * two. Nobody can come between host and guest either, so that a host key which is not known yet is the guest's; it is
 * kept as long as the machine runs.
 *
 * ssh reads quotes, %, ~ and ${ in paths; ProxyCommand goes to the user's shell, with % read before.
 */
#include "vmm/control/ssh-config.h"

#include <string.h>

#include "vmm/control/runtime-directory.h"

char *ssh_config_host(const char *name) {
  return g_strconcat(name, ".eret", NULL);
}

static char *double_percents(const char *text) {
  g_auto(GStrv) parts = g_strsplit(text, "%", -1);

  return g_strjoinv("%%", parts);
}

char *ssh_config_proxy(const char *program, const char *name, int wait) {
  g_autofree char *plain = double_percents(program);
  g_autofree char *quoted = g_shell_quote(plain);
  g_autofree char *seconds = wait >= 0 ? g_strdup_printf("--wait %d ", wait) : g_strdup("");

  return g_strdup_printf("%s ssh --proxy %s%s", quoted, seconds, name);
}

static bool is_writable(const char *text, const char *unfit) {
  for (const char *c = text; *c; c++)
    if (g_ascii_iscntrl(*c) || strchr(unfit, *c))
      return false;
  return true;
}

/* KEYWORD "DIRECTORY/FILE" */
static void add_path(GString *out, const char *keyword, const char *path) {
  g_autofree char *plain = double_percents(path);

  g_string_append_printf(out, "  %s \"%s\"\n", keyword, plain);
}

char *ssh_config_print(const SshConfig *config, GError **error) {
  const char *const paths[] = {config->directory, config->identity ? config->identity : ""};
  g_autoptr(GString) out = g_string_new("# The machine's, made by eret, gone with it: ssh -F this file HOST\n");
  g_autofree char *host = ssh_config_host(config->name), *proxy = ssh_config_proxy(config->program, config->name, -1);
  g_autofree char *known_hosts = g_build_filename(config->directory, "known_hosts", NULL);

  for (unsigned i = 0; i < G_N_ELEMENTS(paths); i++)
    if (!is_writable(paths[i], "\"\\$")) {
      g_set_error(error, RUNTIME_ERROR, RUNTIME_ERROR_HOST,
                  "ssh cannot be told of '%s': quotes, backslashes, dollars and control characters have a meaning to it", paths[i]);
      return NULL;
    }
  if (!is_writable(config->program, "")) {
    g_set_error(error, RUNTIME_ERROR, RUNTIME_ERROR_HOST, "ssh cannot be told of '%s': it has control characters", config->program);
    return NULL;
  }
  g_string_append_printf(out, "Host %s\n  HostKeyAlias %s\n  User root\n  ProxyCommand %s\n  ProxyUseFdpass yes\n", host, host, proxy);
  add_path(out, "UserKnownHostsFile", known_hosts);
  g_string_append(out, "  GlobalKnownHostsFile /dev/null\n  StrictHostKeyChecking accept-new\n  CheckHostIP no\n  LogLevel ERROR\n");
  if (config->identity) {
    add_path(out, "IdentityFile", config->identity);
    g_string_append(out, "  IdentitiesOnly yes\n");
  }
  return g_string_free(g_steal_pointer(&out), FALSE);
}
