/* SPDX-License-Identifier: Apache-2.0 */
/* Trace Event Format: vmm/trace/chrome.c, read back with json-glib. */
#include <json-glib/json-glib.h>
#include <string.h>

#include "tests/unit/vmm/trace/switches-fixture.h"

typedef struct {
  JsonParser *parser;
  JsonArray *events;
} Document;

static void document_init(Document *document, Fixture *fixture) {
  g_autoptr(GString) text = g_string_new(NULL);
  g_autoptr(GError) error = NULL;

  recording_finish(fixture->recording);
  g_autoptr(TraceSwitches) switches = trace_switches_new(fixture->recording);
  trace_chrome(text, switches, NULL);
  g_assert_true(g_utf8_validate(text->str, (gssize)text->len, NULL));
  document->parser = json_parser_new();
  json_parser_load_from_data(document->parser, text->str, (gssize)text->len, &error);
  g_assert_no_error(error);
  document->events = json_object_get_array_member(json_node_get_object(json_parser_get_root(document->parser)), "traceEvents");
  g_assert_nonnull(document->events);
}

static void document_clear(Document *document) {
  g_object_unref(document->parser);
}

static JsonObject *nth(const Document *document, guint i) {
  return json_array_get_object_element(document->events, i);
}

/* The first event of this phase and name; NULL: there is none. */
static JsonObject *find(const Document *document, const char *phase, const char *name) {
  for (guint i = 0; i < json_array_get_length(document->events); i++) {
    JsonObject *event = nth(document, i);
    if (!strcmp(json_object_get_string_member(event, "ph"), phase) && !strcmp(json_object_get_string_member(event, "name"), name))
      return event;
  }
  return NULL;
}

static guint count(const Document *document, const char *phase, const char *name) {
  guint n = 0;
  for (guint i = 0; i < json_array_get_length(document->events); i++)
    n += !strcmp(json_object_get_string_member(nth(document, i), "ph"), phase) &&
         !strcmp(json_object_get_string_member(nth(document, i), "name"), name);
  return n;
}

static const char *argument(JsonObject *event, const char *key) {
  g_assert_nonnull(event);
  return json_object_get_string_member(json_object_get_object_member(event, "args"), key);
}

/* In ns, so that nothing is compared with what a binary fraction makes of it. */
static gint64 ns(JsonObject *event, const char *key) {
  return (gint64)(json_object_get_double_member(event, key) * 1000 + 0.5);
}

static void test_everything(void) {
  Fixture fixture;
  Document document;
  fixture_init(&fixture);
  everything(&fixture);
  document_init(&document, &fixture);

  JsonObject *one = find(&document, "X", "HVC64");
  g_assert_cmpint(ns(one, "ts"), ==, 1000);
  g_assert_cmpint(ns(one, "dur"), ==, 2000);
  g_assert_cmpint(json_object_get_int_member(one, "pid"), ==, 1);
  g_assert_cmpint(json_object_get_int_member(one, "tid"), ==, 1);
  g_assert_cmpstr(argument(one, "x0"), ==, "0xc4000003");
  g_assert_cmpstr(argument(one, "function"), ==, "PSCI CPU_ON");
  g_assert_cmpstr(argument(one, "pc"), ==, "0xffff800080012344");
  one = find(&document, "X", "DABT_LOW uart@9000000 UARTDR write");
  g_assert_cmpstr(argument(one, "device"), ==, UART);
  g_assert_cmpstr(argument(one, "register"), ==, "UARTDR");
  g_assert_cmpstr(argument(one, "access"), ==, "write");
  g_assert_cmpstr(argument(one, "value"), ==, "0x41");
  g_assert_cmpstr(argument(one, "reason"), ==, "KVM_EXIT_MMIO");
  g_assert_cmpstr(argument(find(&document, "X", "SYS64 ICC_SGI1R_EL1 write"), "register"), ==, "ICC_SGI1R_EL1");
  g_assert_cmpint(ns(find(&document, "X", "userspace"), "dur"), ==, 500);
  g_assert_cmpuint(count(&document, "X", "guest"), ==, 11);
  g_assert_cmpuint(count(&document, "X", "waiting"), ==, 1);
  g_assert_cmpuint(count(&document, "X", "userspace"), ==, 5);
  fixture_clear(&fixture);
  document_clear(&document);
}

static void test_tracks(void) {
  Fixture fixture;
  Document document;
  fixture_init(&fixture);
  everything(&fixture);
  enter(&fixture, 3, PC);
  hvc_by_kvm(&fixture, 3);
  add_eret(&fixture, &(TraceRecord){.kind = TRACE_ERET_EVENT, .vcpu = TRACE_NO_VCPU, .a = 7}, "virtio-blk 0", "dropped: link down");
  document_init(&document, &fixture);

  g_assert_cmpstr(argument(find(&document, "M", "process_name"), "name"), ==, "vCPUs");
  g_assert_cmpuint(count(&document, "M", "thread_name"), ==, 3 + 2 + 1); /* machine's, vCPUs 0 and 3, the disk's */
  JsonObject *begin = find(&document, "b", "read"), *end = find(&document, "e", "read");
  g_assert_cmpint(ns(end, "ts") - ns(begin, "ts"), ==, 2500);
  g_assert_cmpint(json_object_get_int_member(begin, "id"), ==, json_object_get_int_member(end, "id"));
  g_assert_cmpint(json_object_get_int_member(begin, "pid"), ==, 100);
  g_assert_cmpint(json_object_get_int_member(json_object_get_object_member(begin, "args"), "bytes"), ==, 4096);
  g_assert_nonnull(find(&document, "i", "vm-created"));
  g_assert_nonnull(find(&document, "i", "doorbell"));
  g_assert_nonnull(find(&document, "i", "interrupt"));
  JsonObject *event = find(&document, "i", "dropped: link down");
  g_assert_cmpint(json_object_get_int_member(json_object_get_object_member(event, "args"), "queue"), ==, 7);
  g_assert_nonnull(find(&document, "i", "timer INTID 27 up"));
  g_assert_nonnull(find(&document, "i", "interrupt INTID 35 up"));
  g_assert_nonnull(find(&document, "i", "\x1b[2Jowned\xef\xbf\xbd"));
  fixture_clear(&fixture);
  document_clear(&document);
}

/* Slices of a track lie in one another or beside one another. */
static void assert_nested(const Document *document, guint i, gint64 from, gint64 to) {
  for (guint j = i + 1; j < json_array_get_length(document->events); j++) {
    JsonObject *event = nth(document, j);
    if (strcmp(json_object_get_string_member(event, "ph"), "X") != 0)
      continue;
    gint64 start = ns(event, "ts"), end = start + ns(event, "dur");
    g_assert_true(start >= to || (start >= from && end <= to));
    if (start >= to)
      return;
  }
}

static void test_nesting(void) {
  Fixture fixture;
  Document document;
  fixture_init(&fixture);
  everything(&fixture);
  document_init(&document, &fixture);
  for (guint i = 0; i < json_array_get_length(document.events); i++) {
    JsonObject *event = nth(&document, i);
    if (!strcmp(json_object_get_string_member(event, "ph"), "X"))
      assert_nested(&document, i, ns(event, "ts"), ns(event, "ts") + ns(event, "dur"));
  }
  fixture_clear(&fixture);
  document_clear(&document);
}

static void test_no_return(void) {
  Fixture fixture;
  Document document;
  fixture_init(&fixture);
  enter(&fixture, 0, PC);
  trap(&fixture, 0, PC, 0x16);
  document_init(&document, &fixture);
  g_assert_nonnull(find(&document, "i", "HVC64"));
  g_assert_null(find(&document, "X", "HVC64"));
  fixture_clear(&fixture);
  document_clear(&document);
}

static void test_eret_alone(void) {
  Fixture fixture;
  Document document;
  fixture_init(&fixture);
  uart_write(&fixture, 0, false);
  uart_write(&fixture, 0, false);
  document_init(&document, &fixture);
  g_assert_cmpuint(count(&document, "X", "MMIO uart@9000000 UARTDR write"), ==, 2);
  g_assert_cmpuint(count(&document, "X", "guest+KVM"), ==, 1);
  g_assert_cmpuint(count(&document, "X", "kernel"), ==, 0);
  fixture_clear(&fixture);
  document_clear(&document);
}

static void test_hostile(void) {
  for (unsigned seed = 30; seed < 32; seed++) {
    Fixture fixture;
    Document document;
    fixture_init(&fixture);
    recording_set_fact(fixture.recording, "\"\\\n", MARK_TEXT);
    add_hostile(&fixture, seed, 100000);
    document_init(&document, &fixture);
    fixture_clear(&fixture);
    document_clear(&document);
  }
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/chrome/everything", test_everything);
  g_test_add_func("/chrome/tracks", test_tracks);
  g_test_add_func("/chrome/nesting", test_nesting);
  g_test_add_func("/chrome/no-return", test_no_return);
  g_test_add_func("/chrome/eret-alone", test_eret_alone);
  g_test_add_func("/chrome/hostile", test_hostile);
  return g_test_run();
}
