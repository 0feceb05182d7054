/* SPDX-License-Identifier: Apache-2.0 */
/* A message is written at once: threads that log at the same time do not share a line, and neither does a guest. */
#include "vmm/cmd/complain.h"

#include "devices/backend/message.h"
#include "devices/printable.h"

#define LOG_WAIT_MS 1000 /* for a reader of standard error that takes nothing, while a machine may be running */

static void say(const char *message, int timeout_ms) {
  g_autofree char *text = printable_escaped(message, -1);
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
  g_autoptr(GString) out = g_string_new(NULL);

  for (unsigned i = 0; lines[i]; i++)
    g_string_append_printf(out, "eret: %s\n", lines[i]);
  message_say(out->str, timeout_ms);
}

void complain(const char *message) {
  say(message, -1);
}

void complain_of_log(const char *domain, GLogLevelFlags level, const char *message, gpointer data) {
  if (!(level & G_LOG_LEVEL_DEBUG))
    say(message, LOG_WAIT_MS);
}
