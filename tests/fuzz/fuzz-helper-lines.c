/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What helpers write, whom a guest or an image may make talk: vmm/helpers/helper-lines.c with each helper's own words,
 * and the last ones of programs that read container images. What is kept is a line that can be shown.
 */
#include "tests/fuzz/fuzz.h"

#include "devices/printable.h"
#include "vmm/helpers/helper-lines.h"
#include "vmm/helpers/image-tools.h"
#include "vmm/helpers/storage-daemon.h"
#include "vmm/helpers/virtiofsd.h"

#define LAST_MAX 1300 /* bytes: a line, with what stands for what is not shown */

static size_t skip(const char *line) {
  size_t size = storage_daemon_skip(line);

  g_assert_cmpuint(size, <=, strlen(line));
  return size;
}

static void hear(FuzzInput input, bool (*is_noise)(const char *line), size_t (*skips)(const char *line)) {
  unsigned piece = 1 + fuzz_below(&input, 200);
  HelperLines lines;

  helper_lines_init(&lines, "helper", is_noise, skips);
  while (input.left) {
    size_t size;
    const uint8_t *bytes = fuzz_bytes(&input, piece, &size);
    g_autofree uint8_t *copy = fuzz_copy(bytes, size);
    helper_lines_hear(&lines, (const char *)copy, size);
  }
  helper_lines_end(&lines);
  g_autofree char *shown = lines.last ? printable_line(lines.last, -1) : NULL;
  g_assert_cmpstr(lines.last, ==, shown);
  g_assert_true(!shown || strlen(shown) <= LAST_MAX);
  helper_lines_clear(&lines);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  FuzzInput input = {data, size};

  hear(input, storage_daemon_is_noise, skip);
  hear(input, virtiofsd_is_noise, NULL);
  hear(input, NULL, NULL);
  while (input.left) {
    g_autofree char *line = fuzz_line(&input);
    g_free(image_tools_plain_line(line));
  }
  return 0;
}
