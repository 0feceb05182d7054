/* SPDX-License-Identifier: Apache-2.0 */
#include "vmm/machine/console-hint.h"

struct ConsoleHint {
  const VirtioDevice *console;
  unsigned ms;
  guint timer; /* 0: it is over */
};

static gboolean look(gpointer data) {
  ConsoleHint *hint = data;

  hint->timer = 0;
  if (!(virtio_get_status(hint->console) & VIRTIO_STATUS_DRIVER_OK))
    g_message("the guest's kernel has not used its virtio console for %u s, so nothing of it is shown: its driver may be a module "
              "(virtio_console) "
              "that is not loaded; --console pl011 is a serial port that needs none",
              hint->ms / 1000);
  return G_SOURCE_REMOVE;
}

ConsoleHint *console_hint_new(const VirtioDevice *console, unsigned ms) {
  ConsoleHint *hint = g_new(ConsoleHint, 1);

  *hint = (ConsoleHint){.console = console, .ms = ms};
  hint->timer = g_timeout_add(ms, look, hint);
  return hint;
}

void console_hint_free(ConsoleHint *hint) {
  if (!hint)
    return;
  g_clear_handle_id(&hint->timer, g_source_remove);
  g_free(hint);
}
