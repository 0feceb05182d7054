/* SPDX-License-Identifier: Apache-2.0 */
/* One line, on standard error, which makes way for messages. */
#include "vmm/cmd/image-waiting.h"

#include <glib.h>
#include <unistd.h>

#include "devices/backend/message.h"
#include "devices/printable.h"

#define IMAGE_SHOWN_MAX 40 /* so that the line is none of two */

void image_waiting_show(const char *image, const char *what, unsigned seconds) {
  if (!isatty(STDERR_FILENO))
    return;
  if (!what) {
    message_show_status(NULL);
    return;
  }
  g_autofree char *shown = printable_line_escaped(image, -1), *cut = printable_cut(shown, IMAGE_SHOWN_MAX);
  g_autofree char *line = g_strdup_printf("%s: %s  %u:%02u", cut, what, seconds / 60, seconds % 60);
  message_show_status(line);
}
