/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables of what the kernel's lines begin with or contain.
 *
 * Where the kernel puts times before its lines, only what stands behind a time is the kernel's: a program that prints
 * "Kernel panic" on the console is no panic. A program's line may be unfinished when the kernel writes, so that the
 * kernel's begins in the middle; the kernel's own, by contrast, comes in one piece.
 */
#include "vmm/exec/kernel-watch.h"

#include <string.h>

#include "devices/printable.h"

#define LINE_MAX_SIZE     4096
#define LINE_OVERLAP      1024 /* of a longer one; no line by which we know anything is */
#define LAST_LINE_MAX     400
#define PLACES_MAX        8 /* times in one line, behind which the kernel's text is looked for */
#define TRACE_MAX_SIZE    (64 * 1024)
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

static KernelLine kind_of(const char *text) {
  for (unsigned i = 0; i < G_N_ELEMENTS(starts); i++)
    if (g_str_has_prefix(text, starts[i].start))
      return starts[i].kind;
  if (g_str_has_prefix(text, "Run ") && g_str_has_suffix(text, " as init process"))
    return KERNEL_LINE_INIT;
  return KERNEL_LINE_OTHER;
}

/* Where in a line without times a panic or an oops begins, if it does not begin the line; NULL: nowhere. */
static const char *begins_inside(const char *line) {
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

char *kernel_trace_fingerprint(const char *trace) {
  /* They are above every trace, and say nothing of this one. */
  static const char *const printers[] = {"dump_backtrace", "show_stack", "dump_stack_lvl", "dump_stack", "panic",
                                         "vpanic",         "nmi_panic",  "__panic",        "show_regs",  NULL};
  g_auto(GStrv) lines = g_strsplit(trace ? trace : "", "\n", -1);
  g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
  bool inside = false;

  for (unsigned i = 0; lines[i] && names->len < FINGERPRINT_NAMES; i++) {
    bool timed;
    const char *text = kernel_line_text(lines[i], &timed);
    g_autofree char *name = inside ? function_of(text) : NULL;
    if (inside && !name && names->len)
      break;
    inside |= g_str_has_prefix(text, "Call trace:");
    if (name && !g_strv_contains(printers, name))
      g_ptr_array_add(names, g_steal_pointer(&name));
  }
  if (!names->len)
    return NULL;
  g_ptr_array_add(names, NULL);
  return g_strjoinv(" < ", (char **)names->pdata);
}

/* The stream. */

void kernel_watch_init(KernelWatch *watch, KernelLineSeen *seen, void *opaque) {
  *watch = (KernelWatch){
      .seen = seen,
      .opaque = opaque,
      .line = g_string_new(NULL),
      .trace = g_string_new(NULL),
      .candidate = g_string_new(NULL),
      .reports = g_array_new(FALSE, FALSE, sizeof(KernelReport)),
  };
}

void kernel_watch_clear(KernelWatch *watch) {
  g_string_free(watch->line, TRUE);
  g_string_free(watch->trace, TRUE);
  g_string_free(watch->candidate, TRUE);
  g_array_unref(watch->reports);
  g_free(watch->last_line);
}

static void count_report(KernelWatch *watch, const char *kind) {
  for (unsigned i = 0; i < watch->reports->len; i++) {
    KernelReport *report = &g_array_index(watch->reports, KernelReport, i);
    if (strcmp(report->kind, kind) == 0) {
      report->count++;
      return;
    }
  }
  g_array_append_vals(watch->reports, &(KernelReport){kind, 1}, 1);
}

/* Traces. */

void kernel_watch_end_trace(KernelWatch *watch) {
  if (watch->candidate_oops && watch->trace->len + watch->candidate->len <= TRACE_MAX_SIZE)
    g_string_append_len(watch->trace, watch->candidate->str, (gssize)watch->candidate->len);
  kernel_watch_forget(watch, watch->trace->len);
}

void kernel_watch_forget(KernelWatch *watch, size_t mark) {
  g_string_truncate(watch->trace, mark);
  g_string_truncate(watch->candidate, 0);
  watch->candidate_oops = false;
}

static void collect(KernelWatch *watch, KernelLine kind) {
  bool begins = kind == KERNEL_LINE_TRACE_START || kind == KERNEL_LINE_OOPS || kind == KERNEL_LINE_PANIC;

  if (!begins && !watch->candidate->len)
    return;
  watch->candidate_oops |= kind == KERNEL_LINE_OOPS || kind == KERNEL_LINE_PANIC;
  if (watch->candidate->len + watch->line->len < TRACE_MAX_SIZE) {
    g_autofree char *text = printable(watch->line->str, (gssize)watch->line->len);
    g_string_append_printf(watch->candidate, "%s\n", text);
  }
  if (kind == KERNEL_LINE_TRACE_END || kind == KERNEL_LINE_PANIC_END)
    kernel_watch_end_trace(watch);
}

/* Lines. */

static bool is_news(const char *text) {
  return kind_of(text) != KERNEL_LINE_OTHER || kernel_line_report(text);
}

/* Where the kernel's text begins; *TIMED: behind a time. Of several places, the first with something that we know. */
static const char *find_text(const char *line, bool any, bool *timed) {
  const char *first = kernel_line_text(line, timed);

  if ((*timed || any) && is_news(first))
    return first;
  unsigned tried = 0;
  for (const char *next = line; tried < PLACES_MAX && (next = strchr(next, '[')); next++) {
    bool behind_time;
    const char *text = kernel_line_text(next, &behind_time);
    tried += behind_time;
    if (behind_time && is_news(text)) {
      *timed = true;
      return text;
    }
  }
  const char *inside = any ? begins_inside(line) : NULL;
  return inside ? inside : first;
}

static void take_line(KernelWatch *watch) {
  bool timed;

  if (watch->line->len && watch->line->str[watch->line->len - 1] == '\r')
    g_string_truncate(watch->line, watch->line->len - 1);
  const char *text = find_text(watch->line->str, !watch->timed, &timed);
  watch->timed |= timed;
  if (*text) {
    g_free(watch->last_line);
    watch->last_line = printable_line(watch->line->str, (gssize)MIN(watch->line->len, LAST_LINE_MAX));
  }
  bool of_kernel = timed || !watch->timed;
  KernelLine kind = of_kernel ? kind_of(text) : KERNEL_LINE_OTHER;
  const char *report = of_kernel ? kernel_line_report(text) : NULL;
  watch->talkative |= kind == KERNEL_LINE_INFO;
  if (report)
    count_report(watch, report);
  if (of_kernel)
    collect(watch, kind);
  watch->seen(watch->opaque, kind, text, timed);
  g_string_truncate(watch->line, 0);
}

void kernel_watch_feed(KernelWatch *watch, const void *bytes, size_t size) {
  const char *text = bytes;

  for (size_t i = 0; i < size; i++) {
    if (text[i] == '\n')
      take_line(watch);
    else if (text[i])
      g_string_append_c(watch->line, text[i]);
    if (watch->line->len == LINE_MAX_SIZE) /* the kernel's line may stand at the end of one that never ends */
      g_string_erase(watch->line, 0, LINE_MAX_SIZE - LINE_OVERLAP);
  }
}

void kernel_watch_end(KernelWatch *watch) {
  if (watch->line->len)
    take_line(watch);
}
