/* SPDX-License-Identifier: Apache-2.0 */
/* A message is written at once: threads that log at the same time do not share a line. */
#include "vmm/cmd/complain.h"

#include <stdio.h>
#include <unistd.h>

#include "devices/printable.h"

void complain(const char *message) {
  g_autofree char *text = printable_escaped(message, -1);
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
  const char *end = isatty(STDERR_FILENO) ? "\r\n" : "\n";
  g_autoptr(GString) out = g_string_new(NULL);

  for (unsigned i = 0; lines[i]; i++)
    g_string_append_printf(out, "eret: %s%s", lines[i], end);
  fputs(out->str, stderr);
}

void complain_of_log(const char *domain, GLogLevelFlags level, const char *message, gpointer data) {
  if (!(level & G_LOG_LEVEL_DEBUG))
    complain(message);
}
