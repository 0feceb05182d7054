/* SPDX-License-Identifier: Apache-2.0 */
/* Tables of what the lines begin with or contain. */
#include "vmm/exec/kernel-log.h"

#include <string.h>

#define FINGERPRINT_NAMES 5
#define NAME_MAX_LENGTH   128

/* "[    1.234567] ", "[  T12] ": brackets around digits, spaces, a dot, and a letter for the task or processor. */
static const char *skip_brackets(const char *text, bool *is_time) {
  const char *next = text + 1;
  bool dot = false;

  if (*text != '[')
    return NULL;
  for (; *next && *next != ']'; next++) {
    dot |= *next == '.';
    if (!g_ascii_isdigit(*next) && !strchr(" .CT@", *next))
      return NULL;
  }
  if (next[0] != ']' || next[1] != ' ' || next == text + 1 || !g_ascii_isdigit(next[-1]))
    return next[0] == ']' && next[1] == '[' && dot ? (*is_time = true, next + 1) : NULL;
  *is_time = dot;
  return next + 2;
}

const char *kernel_line_text(const char *line, bool *timed) {
  bool is_time = false;

  *timed = false;
  if (line[0] == '<' && g_ascii_isdigit(line[1])) {
    const char *end = strchr(line, '>');
    line = end && end - line <= 4 ? end + 1 : line;
  }
  for (const char *next; (next = skip_brackets(line, &is_time)); line = next) {
    if (!is_time && !*timed)
      break;
    *timed = true;
  }
  return line;
}

static const struct {
  const char *start;
  KernelLine kind;
} starts[] = {
    {"Kernel panic - not syncing", KERNEL_LINE_PANIC},
    {"---[ end Kernel panic", KERNEL_LINE_PANIC_END},
    {"---[ end trace", KERNEL_LINE_TRACE_END},
    {"Internal error: ", KERNEL_LINE_OOPS},
    {"Unable to handle kernel ", KERNEL_LINE_TRACE_START},
    {"Unhandled fault", KERNEL_LINE_TRACE_START},
    {"------------[ cut here ]", KERNEL_LINE_TRACE_START},
    {"kernel BUG at ", KERNEL_LINE_TRACE_START},
    {"BUG: ", KERNEL_LINE_TRACE_START},
    {"Out of memory: Killed process", KERNEL_LINE_OOM_KILL},
    {"Out of memory and no killable", KERNEL_LINE_OOM_KILL},
    {"Memory cgroup out of memory: Killed", KERNEL_LINE_OOM_KILL},
    {"Initramfs unpacking failed: write error", KERNEL_LINE_UNPACK_FULL},
    {"rootfs image is not initramfs (write error)", KERNEL_LINE_UNPACK_FULL},
    {"systemd[1]: ", KERNEL_LINE_INIT},
    {"Booting Linux on physical CPU", KERNEL_LINE_INFO},
    {"Detected PIPT I-cache on CPU", KERNEL_LINE_INFO},
    {"Detected VIPT I-cache on CPU", KERNEL_LINE_INFO},
    {"smp: Bringing up secondary CPUs", KERNEL_LINE_INFO},
    {"Unpacking initramfs...", KERNEL_LINE_INFO},
    {"Trying to unpack rootfs image as initramfs...", KERNEL_LINE_INFO},
    {"Freeing initrd memory: ", KERNEL_LINE_INFO},
    {"Freeing unused kernel memory: ", KERNEL_LINE_INFO},
};

KernelLine kernel_line_kind(const char *text) {
  for (unsigned i = 0; i < G_N_ELEMENTS(starts); i++)
    if (g_str_has_prefix(text, starts[i].start))
      return starts[i].kind;
  if (g_str_has_prefix(text, "Run ") && g_str_has_suffix(text, " as init process"))
    return KERNEL_LINE_INIT;
  return KERNEL_LINE_OTHER;
}

const char *kernel_line_inside(const char *line) {
  static const char *const begins[] = {"---[ end Kernel panic", "Kernel panic - not syncing: ", "Internal error: Oops"};

  for (unsigned i = 0; i < G_N_ELEMENTS(begins); i++) {
    const char *found = strstr(line, begins[i]);
    if (found)
      return found;
  }
  return NULL;
}

/* Linux: kernel/printk/printk.c, init/main.c. The last word counts, and nothing behind "--". */
bool kernel_tells_news(const char *command_line) {
  g_auto(GStrv) words = g_strsplit_set(command_line ? command_line : "", " \t\n", -1);
  guint64 level = 7; /* of the console: what is below is shown */
  bool all = false;

  for (unsigned i = 0; words[i] && strcmp(words[i], "--") != 0; i++) {
    if (strcmp(words[i], "quiet") == 0)
      level = 4;
    else if (strcmp(words[i], "debug") == 0)
      level = 10;
    else if (g_str_has_prefix(words[i], "loglevel="))
      level = g_ascii_strtoull(words[i] + strlen("loglevel="), NULL, 0);
    all |= strcmp(words[i], "ignore_loglevel") == 0 || g_str_has_prefix(words[i], "ignore_loglevel=");
  }
  return all || level > 6; /* KERN_INFO */
}

const char *kernel_line_reason(const char *text) {
  static const char *const before[] = {"Kernel panic - not syncing: ", "Internal error: "};

  for (unsigned i = 0; i < G_N_ELEMENTS(before); i++)
    if (g_str_has_prefix(text, before[i]))
      return text + strlen(before[i]);
  return text;
}

/* The first that fits; what is special comes before what is general. */
static const struct {
  const char *text;
  bool anywhere;
  const char *kind;
} reports[] = {
    {"BUG: KASAN: ", true, "KASAN"},
    {"BUG: KFENCE: ", true, "KFENCE"},
    {"BUG: KCSAN: ", true, "KCSAN"},
    {"UBSAN: ", false, "UBSAN"},
    {"BUG: soft lockup", true, "soft lockup"},
    {"BUG: workqueue lockup", true, "workqueue lockup"},
    {"BUG: scheduling while atomic", false, "scheduling while atomic"},
    {"BUG: sleeping function called from invalid context", false, "sleeping in atomic context"},
    {" blocked for more than ", true, "hung task"},
    {"detected stall", true, "RCU stall"},
    {"self-detected stall", true, "RCU stall"},
    {"possible circular locking dependency detected", true, "lockdep"},
    {"possible recursive locking detected", true, "lockdep"},
    {"inconsistent lock state", true, "lockdep"},
    {"suspicious RCU usage", true, "lockdep"},
    {"kmemleak: ", false, "kmemleak"},
    {"Out of memory: Killed process", false, "OOM kill"},
    {"Memory cgroup out of memory: Killed", false, "OOM kill"},
    {"Internal error: ", false, "Oops"},
    {"kernel BUG at ", false, "BUG"},
    {"BUG: ", false, "BUG"},
    {"WARNING: ", false, "WARNING"},
};

const char *kernel_line_report(const char *text) {
  for (unsigned i = 0; i < G_N_ELEMENTS(reports); i++)
    if (reports[i].anywhere ? strstr(text, reports[i].text) != NULL : g_str_has_prefix(text, reports[i].text))
      return reports[i].kind;
  return NULL;
}

/* " name+0x12/0x34 [module]": the name, or NULL. */
static char *function_of(const char *line) {
  const char *start = line + strspn(line, " \t?");
  const char *plus = strstr(start, "+0x");
  size_t length = plus ? (size_t)(plus - start) : 0;

  if (!length || length > NAME_MAX_LENGTH || strcspn(start, " \t=:(<") < length)
    return NULL;
  return g_strndup(start, length);
}

/* They are above every trace, and say nothing of this one. */
static bool only_prints(const char *name) {
  static const char *const names[] = {"dump_backtrace", "show_stack", "dump_stack_lvl", "dump_stack", "panic",
                                      "vpanic",         "nmi_panic",  "__panic",        "show_regs"};

  for (unsigned i = 0; i < G_N_ELEMENTS(names); i++)
    if (strcmp(name, names[i]) == 0)
      return true;
  return false;
}

char *kernel_trace_fingerprint(const char *trace) {
  g_auto(GStrv) lines = g_strsplit(trace, "\n", -1);
  g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
  bool inside = false;

  for (unsigned i = 0; lines[i] && names->len < FINGERPRINT_NAMES; i++) {
    bool timed;
    const char *text = kernel_line_text(lines[i], &timed);
    g_autofree char *name = inside ? function_of(text) : NULL;
    if (inside && !name && names->len)
      break;
    inside |= g_str_has_prefix(text, "Call trace:");
    if (name && !only_prints(name))
      g_ptr_array_add(names, g_steal_pointer(&name));
  }
  if (!names->len)
    return NULL;
  g_ptr_array_add(names, NULL);
  return g_strjoinv(" < ", (char **)names->pdata);
}
