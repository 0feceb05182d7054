/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole machine without KVM: what the board tests build, from the arguments of `eret run`. Interrupts are counted,
 * output is kept.
 */
#pragma once

#include <glib.h>
#include <string.h>

#include "vmm/machine/platform-null.h"

typedef struct {
  CharBackend backend;
  GString *output;
} KeptOutput;

typedef struct {
  Config *config;
  NullWiring wiring;
  KeptOutput console;
  Board *board;
  Platform *platform;
} BoardFixture;

static size_t kept_write(CharBackend *backend, const uint8_t *bytes, size_t size) {
  g_string_append_len(((KeptOutput *)backend)->output, (const char *)bytes, (gssize)size);
  return size;
}

static void kept_ignore(CharBackend *backend) {
}

static const CharBackendOps kept_ops = {kept_write, kept_ignore, kept_ignore};

static inline void board_fixture_init(BoardFixture *fixture, const char *arguments, GicVersion gic) {
  g_autofree char *line = g_strconcat("--dry-run ", arguments, NULL);
  g_auto(GStrv) argv = g_strsplit(line, " ", -1);
  g_autoptr(GError) error = NULL;
  bool help = false;

  memset(fixture, 0, sizeof *fixture);
  fixture->config = config_parse((int)g_strv_length(argv), argv, &help, &error);
  g_assert_no_error(error);
  null_wiring_init(&fixture->wiring);
  fixture->console.backend.ops = &kept_ops;
  fixture->console.output = g_string_new(NULL);
  null_wiring_set_cpu(&fixture->wiring, config_cpu(fixture->config));
  fixture->wiring.wiring.parts.console = &fixture->console.backend;
  fixture->board = board_new(fixture->config, gic, &error);
  g_assert_no_error(error);
  fixture->platform = platform_new(fixture->board, &fixture->wiring.wiring, &error);
  g_assert_no_error(error);
}

static inline void board_fixture_clear(BoardFixture *fixture) {
  platform_free(fixture->platform);
  board_free(fixture->board);
  null_wiring_clear(&fixture->wiring);
  g_string_free(fixture->console.output, TRUE);
  config_free(fixture->config);
}
