/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The page of a recording: vmm/trace/html.c and html-data.c. What the page does in a browser,
 * tests/board/trace-page.sh tests; with ERET_TRACE_PAGES=DIR this program writes the pages for it into DIR: NAME.html,
 * and NAME.lines with the line of each switch.
 */
#include <glib/gstdio.h>
#include <json-glib/json-glib.h>
#include <string.h>

#include "tests/page/synthetic-boot.h"
#include "vmm/base/human.h"
#include "vmm/trace/html-data.h"
#include "vmm/trace/html-page.h"
#include "vmm/trace/report.h"

#define PAGE_SIZE_MAX (15u << 20)
#define LARGE_N       200000
#define HOSTILE_TEXT                                                                                                                       \
  "</script><script>window.owned=1</script><img src=x onerror=\"window.owned=1\"><!--'\"&amp;\\]]>\x1b[2J\xff\xe2\x80\xae"
#define HOSTILE_RECORDS 20000

static unsigned count_of(const char *text, const char *what) {
  unsigned n = 0;

  for (const char *at = text; (at = strstr(at, what)); at += strlen(what))
    n++;
  return n;
}

static char *page_of(Recording *recording) {
  recording_finish(recording);
  g_autoptr(TraceSwitches) switches = trace_switches_new(recording);
  GString *page = g_string_new(NULL);

  trace_html(page, switches, NULL);
  return g_string_free(page, FALSE);
}

/* Texts by a guest, and by whoever wrote the file, wherever a recording has texts. */
static Recording *hostile_boot(void) {
  Recording *recording = synthetic_boot(1, 300, true);
  TraceString text = recording_text(recording, HOSTILE_TEXT);
  TraceRecord records[] = {
      {.kind = TRACE_ERET_MARK, .vcpu = TRACE_NO_VCPU, .name = text, .a = 7},
      {.kind = TRACE_ERET_PHASE, .vcpu = TRACE_NO_VCPU, .name = text},
      {.kind = TRACE_ERET_REQUEST, .vcpu = TRACE_NO_VCPU, .name = text, .detail = text, .a = 1000, .b = 512},
      {.kind = TRACE_ERET_INTERRUPT, .vcpu = TRACE_NO_VCPU, .name = text, .a = 33},
      {.kind = TRACE_ERET_DOORBELL, .vcpu = TRACE_NO_VCPU, .name = text, .b = 3},
      {.kind = TRACE_ERET_EVENT, .vcpu = TRACE_NO_VCPU, .name = text, .detail = text},
      {.kind = TRACE_ERET_TRAFFIC, .vcpu = TRACE_NO_VCPU, .name = text, .detail = text, .a = 5},
      {.kind = TRACE_KVM_ENTRY},
      {.kind = TRACE_KVM_EXIT, .a = BOOT_PC, .b = 2, .c = BOOT_EC_DABT},
      {.kind = TRACE_KVM_USERSPACE_EXIT, .a = KVM_EXIT_MMIO},
      {.kind = TRACE_ERET_RETURN, .flags = 4 << 8, .a = KVM_EXIT_MMIO, .b = 900, .c = 0xa000000, .d = 1, .name = text, .detail = text},
      {.kind = TRACE_KVM_ENTRY},
      {.kind = TRACE_LOST, .vcpu = TRACE_NO_VCPU, .a = 12, .b = TRACE_SOURCE_ERET},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(records); i++) {
    records[i].time = BOOT_BEGINS + 900 * UINT64_C(1000000) + i * 1000;
    recording_add(recording, &records[i]);
  }
  recording_set_fact(recording, "command", HOSTILE_TEXT);
  recording_set_fact(recording, "guest-kernel", HOSTILE_TEXT);
  recording->truncated = true;
  return recording;
}

/* The page has its elements and no others: as many as the skeleton, whatever the recording says. */
static void test_hostile_texts(void) {
  static const char *const markup[] = {"<script", "</script", "<img", "<!--", "owned=1</", "\x1b", "\xe2\x80\xae"};
  g_autoptr(Recording) recording = hostile_boot();
  g_autofree char *page = page_of(recording), *skeleton = g_strndup(html_page_skeleton, html_page_skeleton_size);

  g_assert_true(g_utf8_validate(page, -1, NULL));
  g_assert_nonnull(strstr(page, "window.owned=1"));
  for (unsigned i = 0; i < G_N_ELEMENTS(markup); i++)
    g_assert_cmpuint(count_of(page, markup[i]), ==, count_of(skeleton, markup[i]));
}

static char *between(const char *text, const char *from, const char *to) {
  const char *begin = strstr(text, from);
  g_assert_nonnull(begin);
  begin += strlen(from);
  const char *end = strstr(begin, to);
  g_assert_nonnull(end);
  return g_strndup(begin, (gsize)(end - begin));
}

static void assert_hash(const char *policy, const char *directive, const char *content) {
  uint8_t digest[32];
  gsize n = sizeof digest;
  g_autoptr(GChecksum) checksum = g_checksum_new(G_CHECKSUM_SHA256);
  g_checksum_update(checksum, (const guchar *)content, -1);
  g_checksum_get_digest(checksum, digest, &n);
  g_autofree char *hash = g_base64_encode(digest, n), *source = g_strdup_printf("%s 'sha256-%s'", directive, hash);

  g_assert_nonnull(strstr(policy, source));
}

/* The policy names the one script and the one style that are there, and nothing that could be fetched. */
static void test_policy(void) {
  g_autoptr(Recording) recording = synthetic_boot(1, 10, true);
  g_autofree char *page = page_of(recording), *policy = between(page, "Content-Security-Policy\" content=\"", "\">");
  g_autofree char *style = between(page, "<style>", "</style>"), *script = between(page, "<script>", "</script>");

  g_assert_true(g_str_has_prefix(policy, "default-src 'none'; "));
  g_assert_null(strstr(policy, "unsafe"));
  g_assert_null(strstr(policy, "http"));
  assert_hash(policy, "script-src", script);
  assert_hash(policy, "style-src", style);
  g_assert_cmpuint(count_of(page, " src="), ==, 0);
}

/* What the page's own script does with a template. */
static void append_number(GString *out, JsonArray *part, const GByteArray *blob, guint row) {
  gint64 format = json_array_get_int_element(part, 0), offset = json_array_get_int_element(part, 1),
         size = json_array_get_int_element(part, 2);
  uint64_t value = 0;

  g_assert_cmpint(offset % size, ==, 0);
  g_assert_cmpint(offset + (row + 1) * size, <=, blob->len);
  memcpy(&value, blob->data + offset + row * size, (size_t)size);
  if (format & 1)
    g_string_append_printf(out, "0x%0*" G_GINT64_MODIFIER "x", MAX((int)(format >> 1), 1), value);
  else
    g_string_append_printf(out, "%0*" G_GUINT64_FORMAT, MAX((int)(format >> 1), 1), value);
}

static void assert_line(JsonArray *template, const GByteArray *blob, guint row, const char *line) {
  g_autoptr(GString) made = g_string_new(NULL), harmless = g_string_new(NULL);

  for (guint i = 0; i < json_array_get_length(template); i++) {
    JsonNode *part = json_array_get_element(template, i);
    if (JSON_NODE_HOLDS_ARRAY(part))
      append_number(made, json_node_get_array(part), blob, row);
    else
      g_string_append(made, json_node_get_string(part));
  }
  human_append_text(harmless, line);
  g_assert_cmpstr(made->str, ==, harmless->str);
}

static void test_lines(void) {
  static const char *const texts[] = {
      "",
      "vcpu0 #1 HVC #0 at 0xffff800080010000: x0=0xc4000003",
      "vcpu1 #2 HVC #0 at 0xffff800080010004: x0=0xc4000004",
      "vcpu1 #20 HVC #7 at 0x0: x0=0x00ff",
      "3.10 us",
      "3.01 us",
      "30.1 us",
      "007 000 0 00",
      "0x 0xg 0X1F 0x1F 0xfffffffffffffffff",
      "18446744073709551615 99999999999999999999999999",
      "S3_0_C12_C11_5 el1h_64_irq+0x1c",
      "S3_0_C12_C11_6 el1h_32_irq+0x2c",
      "\x01\x02 tab\t7 \xff \xe2\x80\xae \xc3\xa4",
      "last 1",
      "last 1",
  };
  enum { N = G_N_ELEMENTS(texts) };
  g_autoptr(Lines) lines = lines_new();
  g_autoptr(GByteArray) blob = g_byte_array_new();
  g_autoptr(JsonBuilder) builder = json_builder_new();
  guint numbers[N], rows[N] = {0};

  for (guint i = 0; i < N; i++) {
    numbers[i] = lines_add(lines, texts[i]);
    for (guint before = 0; before < i; before++)
      rows[i] += numbers[before] == numbers[i];
  }
  g_assert_cmpuint(numbers[1], ==, numbers[2]);
  lines_write(lines, builder, blob);
  g_autoptr(JsonNode) root = json_builder_get_root(builder);
  for (guint i = 0; i < N; i++)
    assert_line(json_array_get_array_element(json_node_get_array(root), numbers[i]), blob, rows[i], texts[i]);
}

/* Numbers as they come: nothing of it may crash. */
static void test_hostile_records(void) {
  g_autoptr(Recording) recording = recording_new();
  g_autoptr(GRand) random = g_rand_new_with_seed(2);

  for (unsigned i = 0; i < HOSTILE_RECORDS; i++) {
    TraceRecord record;
    for (unsigned word = 0; word < sizeof record / 4; word++)
      ((uint32_t *)&record)[word] = g_rand_int(random) >> g_rand_int_range(random, 0, 32);
    record.kind = (uint16_t)g_rand_int_range(random, 0, 72);
    record.vcpu = (uint16_t)g_rand_int_range(random, 0, 5000);
    recording_add(recording, &record);
  }
  g_autofree char *page = page_of(recording);
  g_assert_nonnull(strstr(page, "</html>"));
}

static void test_empty(void) {
  g_autoptr(Recording) recording = recording_new();
  g_autofree char *page = page_of(recording);
  g_assert_nonnull(strstr(page, "</html>"));
}

static void test_size(void) {
  g_autoptr(Recording) recording = synthetic_boot(4, LARGE_N, true);
  g_autofree char *page = page_of(recording);

  g_test_message("%u switches: %zu bytes", LARGE_N, strlen(page));
  g_assert_cmpuint(strlen(page), <, PAGE_SIZE_MAX);
}

/* For the test in a browser. */

static Recording *boot(void) {
  return synthetic_boot(2, 20000, true);
}

static Recording *large_boot(void) {
  return synthetic_boot(4, LARGE_N, true);
}

static Recording *boot_without_kernel(void) {
  return synthetic_boot(2, 5000, false);
}

static void write_page(const char *dir, const char *name, Recording *recording) {
  g_autofree char *html = g_strdup_printf("%s/%s.html", dir, name), *lines = g_strdup_printf("%s/%s.lines", dir, name);
  g_autofree char *page = page_of(recording);
  g_autoptr(TraceSwitches) switches = trace_switches_new(recording);
  g_autoptr(GString) text = g_string_new(NULL);

  for (guint i = 0; i < switches->switches->len; i++) {
    trace_explain_switch(text, switches, &g_array_index(switches->switches, TraceSwitch, i), NULL);
    g_string_append_c(text, '\n');
  }
  g_assert_true(g_file_set_contents(html, page, -1, NULL));
  g_assert_true(g_file_set_contents(lines, text->str, -1, NULL));
}

static void write_pages(const char *dir) {
  static const struct {
    const char *name;
    Recording *(*make)(void);
  } pages[] = {
      {"boot", boot}, {"large", large_boot}, {"eret-only", boot_without_kernel}, {"hostile", hostile_boot}, {"empty", recording_new}};

  for (unsigned i = 0; i < G_N_ELEMENTS(pages); i++) {
    g_autoptr(Recording) recording = pages[i].make();
    write_page(dir, pages[i].name, recording);
  }
}

int main(int argc, char **argv) {
  const char *dir = g_getenv("ERET_TRACE_PAGES");

  if (dir) {
    write_pages(dir);
    return 0;
  }
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/trace/html/hostile-texts", test_hostile_texts);
  g_test_add_func("/trace/html/policy", test_policy);
  g_test_add_func("/trace/html/lines", test_lines);
  g_test_add_func("/trace/html/hostile-records", test_hostile_records);
  g_test_add_func("/trace/html/empty", test_empty);
  g_test_add_func("/trace/html/size", test_size);
  return g_test_run();
}
