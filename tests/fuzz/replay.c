/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A target without libFuzzer: its kept inputs, and then what comes of them by changes at random, for a time. Nothing
 * says which of them lead to new code; that is `make fuzz`'s work. An input that fails is left in a file.
 *
 * Usage: PROGRAM SECONDS [--keep FILE] INPUT...
 */
#include <glib/gstdio.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

#define INPUT_MAX 65536

typedef struct {
  GPtrArray *inputs; /* of GBytes */
  GRand *random;
  unsigned n_new;
  const char *keep; /* NULL: nowhere */
} Replay;

/* Before it is run: a sanitizer leaves no time afterwards. */
static void keep(const Replay *replay, const uint8_t *bytes, size_t size) {
  if (replay->keep)
    g_file_set_contents_full(replay->keep, (const char *)bytes, (gssize)size, G_FILE_SET_CONTENTS_NONE, 0600, NULL);
}

static void run(const Replay *replay, const uint8_t *bytes, size_t size) {
  g_autofree uint8_t *copy = fuzz_copy(bytes, size);

  keep(replay, bytes, size);
  LLVMFuzzerTestOneInput(copy, size);
}

static guint any(Replay *replay, guint n) {
  return n ? g_rand_int(replay->random) % n : 0;
}

/* One change: a byte or a bit is another, a piece goes, comes twice, or is another input's. */
static void change(Replay *replay, GByteArray *bytes) {
  static const uint8_t favourites[] = {0, 1, 0x7f, 0x80, 0xff, '\n', ' ', '0', '"', ','};
  guint at = any(replay, bytes->len), size = 1 + any(replay, MIN(bytes->len - at, 64));
  GBytes *other = g_ptr_array_index(replay->inputs, any(replay, replay->inputs->len));
  gsize others;
  const uint8_t *piece = g_bytes_get_data(other, &others);
  guint from = any(replay, (guint)others);

  switch (any(replay, 6)) {
  case 0:
    bytes->data[at] ^= (uint8_t)(1u << any(replay, 8));
    break;
  case 1:
    bytes->data[at] = favourites[any(replay, sizeof favourites)];
    break;
  case 2:
    bytes->data[at] = (uint8_t)any(replay, 256);
    break;
  case 3:
    g_byte_array_remove_range(bytes, at, MIN(size, bytes->len - at));
    break;
  case 4:
    g_byte_array_append(bytes, piece + from, (guint)others - from);
    break;
  default:
    for (guint i = 0; i < size && at + i < bytes->len && from + i < others; i++)
      bytes->data[at + i] = piece[from + i];
    break;
  }
}

static void run_new(Replay *replay) {
  GBytes *start = g_ptr_array_index(replay->inputs, any(replay, replay->inputs->len));
  gsize size;
  const uint8_t *data = g_bytes_get_data(start, &size);
  g_autoptr(GByteArray) bytes = g_byte_array_new();

  g_byte_array_append(bytes, data, (guint)size);
  for (guint n = 1 + any(replay, 8); n-- > 0 && bytes->len;)
    change(replay, bytes);
  run(replay, bytes->data, MIN(bytes->len, INPUT_MAX));
  replay->n_new++;
}

static bool add(Replay *replay, const char *path) {
  g_autofree char *text = NULL;
  gsize size;

  if (!g_file_get_contents(path, &text, &size, NULL) || size > INPUT_MAX)
    return false;
  g_ptr_array_add(replay->inputs, g_bytes_new(text, size));
  return true;
}

int main(int argc, char **argv) {
  Replay replay = {.inputs = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref), .random = g_rand_new_with_seed(1)};
  int first = argc > 3 && strcmp(argv[2], "--keep") == 0 ? 4 : 2;

  LLVMFuzzerInitialize(&argc, &argv);
  replay.keep = first == 4 ? argv[3] : NULL;
  for (int i = first; i < argc; i++)
    if (!add(&replay, argv[i])) {
      fprintf(stderr, "%s: no input of a target\n", argv[i]);
      return 2;
    }
  if (!replay.inputs->len) {
    fprintf(stderr, "Usage: %s SECONDS [--keep FILE] INPUT...\n", argv[0]);
    return 2;
  }
  for (guint i = 0; i < replay.inputs->len; i++) {
    gsize size;
    const uint8_t *data = g_bytes_get_data(g_ptr_array_index(replay.inputs, i), &size);
    run(&replay, data, size);
  }
  for (gint64 end = g_get_monotonic_time() + (gint64)(g_ascii_strtod(argv[1], NULL) * G_USEC_PER_SEC); g_get_monotonic_time() < end;)
    run_new(&replay);
  printf("%u kept inputs, %u new ones\n", replay.inputs->len, replay.n_new);
  if (replay.keep)
    g_unlink(replay.keep);
  g_ptr_array_unref(replay.inputs);
  g_rand_free(replay.random);
  return 0;
}
