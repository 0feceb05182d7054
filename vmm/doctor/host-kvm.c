/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How Linux runs on this machine, and what there is of KVM: /dev/kvm, /proc/misc, the command line, the kernel's
 * configuration, its log where it may be read, and the interrupts, which anybody may read and which tell the exception
 * level: a host at EL2 (VHE) uses a timer of EL2's, physical or, in newer kernels, virtual, one at EL1 with KVM's code
 * at EL2 (nVHE) EL1's physical timer, and one under a hypervisor the virtual timer (Linux:
 * drivers/clocksource/arm_arch_timer.c, arch_timer_select_ppi).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "vmm/doctor/host-facts.h"

#define LOG_MAX    (4u << 20) /* bytes */
#define RECORD_MAX 8192       /* of /dev/kmsg: CONSOLE_EXT_LOG_MAX */

/*
 * "...; GICv3  26 Level     arch_timer": the controller and its number of the interrupt, behind the counts of each CPU.
 */
static void read_interrupts(HostFacts *facts, const char *root) {
  g_autofree char *text = host_read_text(root, "proc/interrupts");
  g_autoptr(GRegex) pattern = g_regex_new("^ *\\d+: +(?:\\d+ +)+(\\S+) +(\\d+) +(.*)$", 0, 0, NULL);
  g_auto(GStrv) lines = g_strsplit(text ? text : "", "\n", -1);

  for (char **line = lines; *line; line++) {
    g_autoptr(GMatchInfo) match = NULL;
    if (!g_regex_match(pattern, *line, 0, &match))
      continue;
    g_autofree char *chip = g_match_info_fetch(match, 1), *number = g_match_info_fetch(match, 2), *name = g_match_info_fetch(match, 3);
    bool gic = g_str_has_prefix(chip, "GIC") || g_str_has_prefix(chip, "AIC");
    if (gic && !facts->gic && strcmp(chip, "GICv2m") != 0)
      facts->gic = g_strdup(strcmp(chip, "GIC-0") == 0 ? "GICv2" : chip);
    if (g_str_has_prefix(chip, "GIC") && g_regex_match_simple("(^| )arch_timer$", name, 0, 0))
      facts->timer_intid = (unsigned)strtoul(number, NULL, 10);
  }
}

static void read_command_line(HostFacts *facts, const char *root) {
  g_autofree char *text = host_read_text(root, "proc/cmdline");
  g_auto(GStrv) words = g_strsplit(text ? text : "", " ", -1);

  for (char **word = words; *word; word++)
    if (g_str_has_prefix(*word, "kvm-arm.mode=")) {
      g_free(facts->kvm_mode);
      facts->kvm_mode = g_strdup(*word + strlen("kvm-arm.mode="));
    }
}

/*
 * Each read of /dev/kmsg is one record of the log; a file in its place comes in larger pieces. Without waiting for
 * more.
 */
static char *read_log(const char *root) {
  g_autofree char *path = g_build_filename(root, "dev/kmsg", NULL);
  char piece[RECORD_MAX];
  int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

  if (fd < 0)
    return NULL;
  GString *text = g_string_new(NULL);
  for (ssize_t got; text->len < LOG_MAX;) {
    got = read(fd, piece, sizeof piece);
    if (got < 0 && (errno == EPIPE || errno == EINTR))
      continue; /* EPIPE: records were overwritten meanwhile */
    if (got <= 0)
      break;
    g_string_append_len(text, piece, got);
  }
  close(fd);
  return g_string_free(text, FALSE);
}

/* "6,339,5140900,-;kvm [1]: VHE mode initialized successfully" */
static void read_kernel_log(HostFacts *facts, const char *root) {
  g_autofree char *text = read_log(root);
  g_auto(GStrv) lines = g_strsplit(text ? text : "", "\n", -1);

  facts->kernel_log_readable = text && *text;
  for (char **line = lines; *line; line++) {
    const char *message = strchr(*line, ';');
    if (!message)
      continue;
    message++;
    const char *level = strstr(message, "CPU(s) started at EL");
    if (level)
      facts->started_at_level = (unsigned)strtoul(level + strlen("CPU(s) started at EL"), NULL, 10);
    if (g_str_has_prefix(message, "kvm [") || g_str_has_prefix(message, "kvm: "))
      g_ptr_array_add(facts->kvm_log, g_strdup(message));
  }
}

/* The configuration is in the kernel itself, packed, or beside it in /boot; zlib reads both. */
static void read_kernel_config(HostFacts *facts, const char *root) {
  g_autofree char *packed = g_build_filename(root, "proc/config.gz", NULL);
  g_autofree char *name = g_strconcat("config-", facts->kernel ? facts->kernel : "", NULL);
  g_autofree char *boot = g_build_filename(root, "boot", name, NULL);
  char line[512];
  gzFile file = gzopen(packed, "rbe");

  if (!file)
    file = gzopen(boot, "rbe");
  if (!file)
    return;
  facts->config_kvm = KERNEL_CONFIG_OFF;
  while (gzgets(file, line, sizeof line))
    if (g_str_has_prefix(line, "CONFIG_KVM=y") || g_str_has_prefix(line, "CONFIG_KVM=m"))
      facts->config_kvm = KERNEL_CONFIG_ON;
  gzclose(file);
}

/* By the line "kvm:x:106:ann,bob". */
char *host_group_name(const HostFacts *facts, const char *root, unsigned number, bool *member) {
  g_autofree char *text = host_read_text(root, "etc/group");
  g_auto(GStrv) lines = g_strsplit(text ? text : "", "\n", -1);

  *member = false;
  for (char **line = lines; *line; line++) {
    g_auto(GStrv) parts = g_strsplit(*line, ":", 4);
    if (g_strv_length(parts) != 4 || g_ascii_strtoull(parts[2], NULL, 10) != number)
      continue;
    g_auto(GStrv) members = g_strsplit(parts[3], ",", -1);
    *member = facts->process.user && g_strv_contains((const char *const *)members, facts->process.user);
    return g_strdup(parts[0]);
  }
  return g_strdup_printf("%u", number);
}

static void read_node(HostFacts *facts, const char *root) {
  g_autofree char *path = g_build_filename(root, "dev/kvm", NULL);
  struct stat status;

  if (stat(path, &status) < 0)
    return;
  facts->kvm_node = true;
  facts->kvm_node_mode = status.st_mode & 07777;
  facts->kvm_group = host_group_name(facts, root, status.st_gid, &facts->user_in_group);
}

/* "232 kvm" */
static void read_misc(HostFacts *facts, const char *root) {
  g_autofree char *text = host_read_text(root, "proc/misc");
  facts->kvm_registered = text && g_regex_match_simple("^ *\\d+ kvm$", text, G_REGEX_MULTILINE, 0);
}

void host_kvm_read(HostFacts *facts, const char *root) {
  read_interrupts(facts, root);
  read_command_line(facts, root);
  read_kernel_log(facts, root);
  read_kernel_config(facts, root);
  read_node(facts, root);
  read_misc(facts, root);
}
