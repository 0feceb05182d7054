/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a guest writes to those who watch it: lines of the control port, the kernel's console in pieces of any size, and
 * all of it on a terminal or in a report.
 */
#include "tests/fuzz/fuzz.h"

#include "devices/backend/escape.h"
#include "devices/printable.h"
#include "vmm/exec/console-log.h"
#include "vmm/exec/control-line.h"
#include "vmm/exec/kernel-watch.h"
#include "vmm/suite/case-file.h"

static void seen(void *opaque, KernelLine kind, const char *text, bool of_kernel) {
  g_autofree char *shown = printable_line(text, -1);

  if (kind == KERNEL_LINE_PANIC || kind == KERNEL_LINE_OOPS)
    g_assert_nonnull(kernel_line_reason(text));
  kernel_line_report(text);
}

static void watch(FuzzInput input) {
  KernelWatch kernel;
  g_autoptr(ConsoleLog) log = console_log_new(NULL, 1 << 16, 8, 0, NULL);

  kernel_watch_init(&kernel, seen, NULL);
  while (input.left) {
    size_t size;
    const uint8_t *piece = fuzz_bytes(&input, 1 + fuzz_below(&input, 64), &size);
    g_autofree uint8_t *copy = fuzz_copy(piece, size);
    kernel_watch_feed(&kernel, copy, size);
    console_log_write(log, copy, size, 1000);
  }
  kernel_watch_end(&kernel);
  kernel_watch_end_trace(&kernel);
  g_free(kernel_trace_fingerprint(kernel.trace->str));
  kernel_watch_forget(&kernel, 0);
  kernel_watch_clear(&kernel);
  g_free(console_log_tail(log));
}

static void control(FuzzInput input) {
  while (input.left) {
    g_autofree char *text = fuzz_line(&input);
    ControlLine line = control_line_parse(text);
    g_assert_true(line.kind != CONTROL_NONE || line.text == text);
    g_assert_true(!line.text || (line.text >= text && line.text <= text + strlen(text)));
    kernel_tells_news(text);
  }
}

/* Nothing that moves a cursor is left, nor anything that is no UTF-8. */
static void assert_shown(char *taken, size_t max, bool lines) {
  g_assert_cmpuint(strlen(taken), <=, max);
  g_assert_true(g_utf8_validate(taken, -1, NULL));
  for (const char *at = taken; *at; at = g_utf8_next_char(at))
    g_assert_true(printable_char(g_utf8_get_char(at)) || (lines && (*at == '\n' || *at == '\t')));
  g_free(taken);
}

static void show(const uint8_t *data, size_t size) {
  g_autofree char *text = fuzz_text(data, size);
  g_autoptr(GBytes) bytes = g_bytes_new(data, size);
  g_autofree char *end = case_file_end(bytes);
  Escape escape = {.attached = size & 1};
  uint8_t to[ESCAPE_MAX_OUTPUT];
  unsigned n;

  assert_shown(printable(text, (gssize)size), 3 * size, true);
  assert_shown(printable_line(text, (gssize)size), 3 * size, false);
  assert_shown(printable_escaped(text, (gssize)size), 6 * size, true);
  assert_shown(printable_line_escaped(text, (gssize)size), 6 * size, false);
  g_free(printable_cut(text, (gsize)(size / 2)));
  for (size_t i = 0; i < size; i++) {
    escape_byte(&escape, data[i], to, &n);
    g_assert_cmpuint(n, <=, ESCAPE_MAX_OUTPUT);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  FuzzInput input = {data, size};

  control(input);
  watch(input);
  show(data, size);
  return 0;
}
