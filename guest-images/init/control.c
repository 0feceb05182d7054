/* SPDX-License-Identifier: Apache-2.0 */
/* The conversation with the host: lines on the port eret.control. */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/reboot.h>
#include <unistd.h>

#include "init.h"

int control_fd = -1;

void console_say(const char *format, ...) {
  char text[512];
  va_list arguments;

  va_start(arguments, format);
  int size = vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  if (size > 0)
    dprintf(STDOUT_FILENO, "eret-init: %.500s\n", text);
}

/* A line stays a line whatever is in it. */
void control_say(const char *format, ...) {
  char text[1024];
  va_list arguments;

  va_start(arguments, format);
  int size = vsnprintf(text, sizeof text - 1, format, arguments);
  va_end(arguments);
  if (size < 0)
    return;
  if (control_fd < 0) {
    console_say("%s", text);
    return;
  }
  size_t length = strlen(text);
  for (size_t i = 0; i < length; i++)
    if ((unsigned char)text[i] < ' ')
      text[i] = ' ';
  text[length++] = '\n';
  write_all(control_fd, text, length);
}

bool control_read(char *line, size_t size, bool wait) {
  static char buffer[1024];
  static size_t filled;

  for (;;) {
    char *end = memchr(buffer, '\n', filled);
    if (end) {
      *end = 0;
      snprintf(line, size, "%s", buffer);
      filled -= (size_t)(end + 1 - buffer);
      memmove(buffer, end + 1, filled);
      return true;
    }
    if (filled == sizeof buffer)
      filled = 0; /* no line of the host's is that long */
    struct pollfd ready = {.fd = control_fd, .events = POLLIN};
    if (poll(&ready, 1, wait ? -1 : 0) <= 0 || !(ready.revents & POLLIN)) {
      if (!wait)
        return false;
      usleep(10000);
      continue;
    }
    ssize_t got = read(control_fd, buffer + filled, sizeof buffer - filled);
    if (got <= 0 && errno != EINTR && errno != EAGAIN)
      return false;
    filled += got > 0 ? (size_t)got : 0;
  }
}

bool control_answer(const char *line) {
  unsigned long taint;

  if (strcmp(line, "ping") == 0)
    control_say("pong");
  else if (strcmp(line, "taint") != 0)
    return false;
  else if (kernel_taint(&taint))
    control_say("taint %lu", taint);
  return true;
}

void power_off(void) {
  sync();
  reboot(RB_POWER_OFF);
  for (;;)
    pause();
}
