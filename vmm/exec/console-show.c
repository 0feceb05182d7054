/* SPDX-License-Identifier: Apache-2.0 */
/* A back end with a backlog behind its buffer: the back end says when it has room again. */
#include "vmm/exec/console-show.h"

#include <string.h>

#include "devices/backend/terminal.h"

struct ConsoleShow {
  CharBackend *backend;
  GByteArray *backlog;
  size_t limit;
  uint64_t left_out;
};

static void say_what_was_left_out(ConsoleShow *show) {
  g_autofree char *text = g_strdup_printf(
      "\neret: %" G_GUINT64_FORMAT " bytes of the kernel's console were left out here: standard error was not read\n", show->left_out);

  g_byte_array_append(show->backlog, (const uint8_t *)text, (guint)strlen(text));
  show->left_out = 0;
}

static void push(ConsoleShow *show) {
  for (size_t taken = 1; taken && show->backlog->len;) {
    taken = char_backend_write(show->backend, show->backlog->data, show->backlog->len);
    g_byte_array_remove_range(show->backlog, 0, (guint)taken);
    if (show->left_out && !show->backlog->len)
      say_what_was_left_out(show);
  }
}

static size_t no_room(void *opaque) {
  return 0;
}

static void receive_nothing(void *opaque, const uint8_t *bytes, size_t size) {
}

static void on_room(void *opaque) {
  push(opaque);
}

static const CharFrontend frontend = {no_room, receive_nothing, on_room};

/* Nobody reads any more: the back end takes and forgets. */
static void ignore_event(TerminalEvent event, void *opaque) {
}

ConsoleShow *console_show_new(int fd, size_t limit) {
  ConsoleShow *show = g_new0(ConsoleShow, 1);

  show->backlog = g_byte_array_new();
  show->limit = limit;
  show->backend = terminal_new_stream(-1, fd, ignore_event, NULL);
  char_backend_connect(show->backend, &frontend, show);
  return show;
}

void console_show_free(ConsoleShow *show) {
  if (!show)
    return;
  char_backend_free(show->backend);
  g_byte_array_unref(show->backlog);
  g_free(show);
}

/* Once something is left out, all is until the backlog is empty: one gap, and not many small ones. */
void console_show_write(ConsoleShow *show, const void *bytes, size_t size) {
  size_t kept = show->left_out ? 0 : MIN(size, show->limit - MIN(show->limit, show->backlog->len));

  g_byte_array_append(show->backlog, bytes, (guint)kept);
  show->left_out += size - kept;
  push(show);
}

bool console_show_flush(ConsoleShow *show, unsigned timeout_ms) {
  push(show);
  for (bool more = true; more;) {
    more = show->backlog->len > 0; /* then the back end is filled anew while it is emptied */
    if (!terminal_flush(show->backend, timeout_ms))
      return false;
  }
  return true;
}
