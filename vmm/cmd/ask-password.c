/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The terminal is in raw mode meanwhile, so that every key comes here and none is shown; raw-mode.c puts it back, also
 * where a signal ends the process.
 */
#include "vmm/cmd/ask-password.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "devices/backend/message.h"
#include "devices/backend/raw-mode.h"
#include "vmm/seed/seed-volume.h"
#include "vmm/seed/sha512-crypt.h"

#define LINE_BYTES_MAX (SHA512_CRYPT_PASSWORD_MAX + 2) /* one that is too long is seen to be */

enum { KEY_INTERRUPT = 3, KEY_END = 4, KEY_BACKSPACE = 8, KEY_ERASE_LINE = 21, KEY_DELETE = 127 };

static bool refuse(GError **error, const char *why) {
  g_set_error(error, SEED_ERROR, SEED_ERROR_MAKE, "--password: %s", why);
  return false;
}

static bool read_byte(char *byte) {
  ssize_t got;

  do
    got = read(STDIN_FILENO, byte, 1);
  while (got < 0 && errno == EINTR);
  return got == 1;
}

/* What KEY does to LINE. */
static void edit(GString *line, char key) {
  if (key == KEY_ERASE_LINE)
    g_string_truncate(line, 0);
  else if (key != KEY_BACKSPACE && key != KEY_DELETE && line->len < LINE_BYTES_MAX)
    g_string_append_c(line, key);
  else if ((key == KEY_BACKSPACE || key == KEY_DELETE) && line->len)
    g_string_truncate(line, line->len - 1);
}

/*
 * Byte by byte, as what follows the line is not ours, and no further than one sees that it is too long: it may have no
 * end. At a terminal some of it can be taken back. False: KEY_INTERRUPT.
 */
static bool read_line(GString *line, bool terminal) {
  for (char byte;
       (terminal || line->len < LINE_BYTES_MAX) && read_byte(&byte) && byte != '\n' && !(terminal && (byte == '\r' || byte == KEY_END));) {
    if (terminal && byte == KEY_INTERRUPT)
      return false;
    if (terminal)
      edit(line, byte);
    else
      g_string_append_c(line, byte);
  }
  return true;
}

static bool ask(const char *prompt, GString *line, GError **error) {
  message_say(prompt, -1);
  if (!raw_mode_enter(STDIN_FILENO, error))
    return false;
  bool whole = read_line(line, true);
  raw_mode_leave(STDIN_FILENO);
  return whole || refuse(error, "interrupted");
}

static void forget(GString *line) {
  explicit_bzero(line->str, line->len);
  g_string_free(line, TRUE);
}

bool ask_password(CloudSeed *seed, GError **error) {
  GString *first = g_string_sized_new(LINE_BYTES_MAX), *second = g_string_sized_new(LINE_BYTES_MAX);
  bool terminal = isatty(STDIN_FILENO), good = true;

  if (terminal)
    good = ask("Password for the guest's user (it is not shown):", first, error) && ask("The same again:", second, error) &&
           (strcmp(first->str, second->str) == 0 || refuse(error, "the two differ"));
  else
    read_line(first, false);
  const char *why = good ? cloud_seed_take_password(seed, first->str, first->len) : NULL;
  forget(first);
  forget(second);
  return good && (!why || refuse(error, why));
}
