/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program in qemu-storage-daemon's place: the test itself, by another name, in a directory of its own that PATH
 * begins with and that is the current one. What it says is in files there; see fake_script. Tests only.
 */
#pragma once

#include <glib/gstdio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devices/vhost/user-message.h"
#include "tests/unit/directory.h"
#include "vmm/helpers/helper-process.h"

#define FAKE_NAME     "qemu-storage-daemon"
#define FAKE_WORD     "--be-" FAKE_NAME
#define FAKE_GREETING "{\"QMP\": {}}"
#define FAKE_DONE     "{\"return\": {}}"

/* The next command, a document of several lines that ends in a line with a brace alone; its name. False: no more. */
static bool fake_hear(char name[64]) {
  static char bytes[65536];
  size_t size = 0;

  for (;;) {
    ssize_t got = read(HELPER_FD, bytes + size, sizeof bytes - 1 - size);
    if (got <= 0)
      return false;
    size += (size_t)got;
    bytes[size] = 0;
    if (g_str_has_suffix(bytes, "\n}\n"))
      break;
  }
  const char *found = strstr(bytes, "\"execute\"");
  return found && sscanf(found, "\"execute\" : \"%63[^\"]\"", name) == 1;
}

static void fake_say(const char *text) {
  (void)!write(HELPER_FD, text, strlen(text));
  (void)!write(HELPER_FD, "\r\n", 2);
}

/* "!exit WORDS", "!flood", or what is said as it is: messages with | between them. */
static void fake_answer(const char *line) {
  if (g_str_has_prefix(line, "!exit ")) {
    fprintf(stderr, "%s\n", line + strlen("!exit "));
    _exit(3);
  }
  if (strcmp(line, "!flood") != 0) {
    g_auto(GStrv) messages = g_strsplit(line, "|", -1);
    for (char **message = messages; *message; message++)
      fake_say(*message);
    return;
  }
  char bytes[4096];
  memset(bytes, 'x', sizeof bytes);
  while (write(HELPER_FD, bytes, sizeof bytes) > 0)
    ;
}

/* Each line of the file "script": a command, a blank, and what is said to it; in that order, and no other. */
static int fake_talk(void) {
  g_autofree char *script = NULL;
  char name[64];

  g_file_get_contents("script", &script, NULL, NULL);
  g_auto(GStrv) lines = g_strsplit(script ? script : "", "\n", -1);
  fake_answer(lines[0]);
  for (char **line = lines + 1; fake_hear(name); line += *line != NULL) {
    const char *said = *line && g_str_has_prefix(*line, name) && (*line)[strlen(name)] == ' ' ? *line + strlen(name) + 1 : NULL;
    if (said) {
      fake_answer(said);
      continue;
    }
    fprintf(stderr, "%s was not expected\n", name);
    return 9;
  }
  return 0;
}

/* Serves one connection: it answers what it is asked first, and keeps in "served" what it was started with. */
static int fake_serve(int argc, char **argv) {
  VhostUserMessage message;
  g_autofree char *all = g_strjoinv("\n", argv);
  g_autofree char *words = NULL;

  g_file_set_contents("served", all, -1, NULL);
  if (g_file_get_contents("refusal", &words, NULL, NULL)) {
    fputs(words, stderr);
    return 1;
  }
  VhostUserChannel channel = {.fd = accept(HELPER_FD, NULL, NULL), .peer = "eret"};
  gint64 deadline = g_get_monotonic_time() + 30 * G_USEC_PER_SEC;
  if (!vhost_user_receive(&channel, &message, deadline, NULL) || message.request != VHOST_USER_GET_FEATURES)
    return 1;
  message.flags = VHOST_USER_VERSION | VHOST_USER_REPLY;
  message.size = sizeof message.number;
  message.number = UINT64_C(1) << 32;
  vhost_user_send(&channel, &message, NULL, 0, deadline, NULL);
  char byte;
  while (read(channel.fd, &byte, 1) > 0)
    ;
  return 0;
}

/* From main: whether this process is the program; then *STATUS is what main returns. */
static inline bool fake_is_program(int argc, char **argv, int *status) {
  g_autofree char *version = NULL;

  if (argc < 2 || strcmp(argv[1], FAKE_WORD) != 0)
    return false;
  argc--;
  argv++;
  if (argc > 1 && strcmp(argv[1], "--version") == 0) {
    g_file_get_contents("version", &version, NULL, NULL);
    fputs(version ? version : FAKE_NAME " version 7.2.22 (Debian 1:7.2)\n", stdout);
    *status = 0;
  } else {
    *status = argc > 1 && strcmp(argv[1], "--chardev") == 0 ? fake_talk() : fake_serve(argc, argv);
  }
  return true;
}

typedef struct {
  char *directory, *before, *path;
} FakeStorage;

static inline void fake_storage_set_up(FakeStorage *fake, const void *data) {
  g_autofree char *program = g_file_read_link("/proc/self/exe", NULL);

  fake->directory = directory_new();
  fake->before = g_get_current_dir();
  fake->path = g_strdup(g_getenv("PATH"));
  g_assert_cmpint(g_chdir(fake->directory), ==, 0);
  /* A sanitizer has more addresses than a program that looks at an image is to have. */
  g_autofree char *text = g_strdup_printf("#!/bin/sh\nulimit -v unlimited\nexec '%s' " FAKE_WORD " \"$@\"\n", program);
  g_assert_true(g_file_set_contents_full(FAKE_NAME, text, -1, G_FILE_SET_CONTENTS_NONE, 0755, NULL));
  g_autofree char *path = g_strconcat(fake->directory, ":", fake->path, NULL);
  g_setenv("PATH", path, TRUE);
}

static inline void fake_storage_tear_down(FakeStorage *fake, const void *data) {
  g_setenv("PATH", fake->path, TRUE);
  g_assert_cmpint(g_chdir(fake->before), ==, 0);
  directory_free(fake->directory);
  g_free(fake->directory);
  g_free(fake->before);
  g_free(fake->path);
}

/* What it says in a talk: LINES, of which the first is its greeting. */
static inline void fake_script(const char *lines) {
  g_assert_true(g_file_set_contents("script", lines, -1, NULL));
}
