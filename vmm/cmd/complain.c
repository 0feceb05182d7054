/* SPDX-License-Identifier: Apache-2.0 */
/* A message is written at once: threads that log at the same time do not share a line, and neither does a guest. */
#include "vmm/cmd/complain.h"

#include <stdio.h>
#include <string.h>

#include "devices/backend/message.h"
#include "devices/printable.h"
#include "vmm/cmd/command.h"
#include "vmm/cpu/template.h"
#include "vmm/machine/machine.h"
#include "vmm/suite/suite.h"

#define LOG_WAIT_MS 1000 /* for a reader of standard error that takes nothing, while a machine may be running */

/* Of SIZE bytes of MESSAGE, -1: of all. Free with g_free. */
static char *line_of(const char *message, gssize size) {
  g_autofree char *line = printable_line_escaped(message, size);

  return printable_cut(line, COMPLAIN_LINE_MAX);
}

static void say_line(const char *message, int timeout_ms) {
  g_autofree char *line = line_of(message, -1);
  g_autofree char *text = g_strdup_printf("eret: %s\n", line);

  message_say(text, timeout_ms);
}

void complain(const char *message) {
  say_line(message, -1);
}

void complain_format(const char *format, ...) {
  va_list arguments;

  va_start(arguments, format);
  g_autofree char *message = g_strdup_vprintf(format, arguments);
  va_end(arguments);
  complain(message);
}

void complain_lines(const char *message) {
  g_autoptr(GString) out = g_string_new(NULL);
  unsigned n = 0;

  for (const char *at = message, *end; at; at = end ? end + 1 : NULL, n++) {
    end = strchr(at, '\n');
    if (n >= COMPLAIN_LINES_MAX)
      continue;
    g_autofree char *line = line_of(at, end ? end - at : -1);
    g_string_append_printf(out, "eret: %s\n", line);
  }
  if (n > COMPLAIN_LINES_MAX)
    g_string_append_printf(out, "eret: and %u more\n", n - COMPLAIN_LINES_MAX);
  message_say(out->str, -1);
}

/* Lists of mistakes (vmm/base/mistakes.h), and the registers of a guest that went wrong. */
static bool has_lines(const GError *error) {
  return error->domain == OPTION_ERROR || error->domain == CPU_ERROR || error->domain == SUITE_ERROR ||
         g_error_matches(error, MACHINE_ERROR, MACHINE_ERROR_GUEST);
}

int complain_of(const GError *error, int status) {
  if (has_lines(error))
    complain_lines(error->message);
  else
    complain(error->message);
  return status;
}

void complain_of_note(const Config *config) {
  g_autofree char *note = config_note(config);

  if (note)
    complain_lines(note);
}

int answer(const OptionSet *set, const GError *error) {
  if (!error) {
    g_autofree char *help = option_help(set);
    fputs(help, stdout);
    return EXIT_OK;
  }
  complain_of(error, EXIT_USAGE);
  fprintf(stderr, "Try 'eret %s --help'.\n", set->command);
  return EXIT_USAGE;
}

bool answer_options(const OptionDraft *draft, int *status) {
  g_autoptr(GError) error = NULL;

  if (!draft->help && option_is_good(draft, &error))
    return false;
  *status = answer(draft->set, error);
  return true;
}

void complain_of_log(const char *domain, GLogLevelFlags level, const char *message, gpointer data) {
  if (!(level & G_LOG_LEVEL_DEBUG))
    say_line(message, LOG_WAIT_MS);
}
