/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `eret trace --html`: one page that needs nothing but itself. page/ has what is the same for all recordings; this file
 * adds what is known of one, in two parts: a directory as JSON (texts, facts, where each column lies) and the columns,
 * compressed. All drawing and counting is the page's.
 *
 * The guest chooses texts of a recording, and a recording may come from anywhere. In the page no text can end its
 * element, since JSON has no '<' here, and the page's policy (CSP level 3) runs one script, known by its hash, and
 * allows no connection to anywhere.
 *
 * No locks: pure function of the recording.
 */
#include <string.h>

#include "vmm/base/human.h"
#include "vmm/trace/html-data.h"
#include "vmm/trace/html-devices.h"
#include "vmm/trace/html-page.h"
#include "vmm/trace/report.h"

/* What a browser can still hold. What is beyond is left out, and the page says so. */
#define SWITCHES_MAX 1000000u
#define EVENTS_MAX   1000000u
#define MOMENTS_MAX  1024u /* phases and marks; losses */

/* Numbers of the device events: of page/device-track.js. */
enum { EVENT_REQUEST, EVENT_INTERRUPT, EVENT_DOORBELL };

typedef struct {
  const TraceSwitches *switches;
  const Symbols *symbols;
  JsonBuilder *json;
  GByteArray *blob;
} Page;

/* A table of texts: each has one number. */
typedef struct {
  GHashTable *numbers; /* text -> guint * */
  GPtrArray *texts;
} TextTable;

static TextTable text_table(void) {
  TextTable table = {.numbers = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free),
                     .texts = g_ptr_array_new_with_free_func(g_free)};
  return table;
}

static void text_table_clear(TextTable *table) {
  g_hash_table_unref(table->numbers);
  g_ptr_array_unref(table->texts);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(TextTable, text_table_clear)

static guint text_number(TextTable *table, const char *text) {
  const guint *known = g_hash_table_lookup(table->numbers, text), next = table->texts->len;

  if (known)
    return *known;
  g_ptr_array_add(table->texts, g_strdup(text));
  g_hash_table_insert(table->numbers, g_ptr_array_index(table->texts, next), g_memdup2(&next, sizeof next));
  return next;
}

static void add_text(Page *page, const char *text) {
  g_autoptr(GString) harmless = g_string_new(NULL);

  human_append_text(harmless, text);
  json_builder_add_string_value(page->json, harmless->str);
}

static void add_number(Page *page, uint64_t number) {
  json_builder_add_int_value(page->json, (gint64)MIN(number, (uint64_t)G_MAXINT64));
}

static void name_member(Page *page, const char *name) {
  json_builder_set_member_name(page->json, name);
}

static void add_member(Page *page, const char *name, uint64_t number) {
  name_member(page, name);
  add_number(page, number);
}

static void add_bool_member(Page *page, const char *name, bool value) {
  name_member(page, name);
  json_builder_add_boolean_value(page->json, value);
}

static void add_texts(Page *page, const char *name, const TextTable *table) {
  name_member(page, name);
  json_builder_begin_array(page->json);
  for (guint i = 0; i < table->texts->len; i++)
    add_text(page, g_ptr_array_index(table->texts, i));
  json_builder_end_array(page->json);
}

/* What is known of the machine, in the order in which it is shown. */
static void add_facts(Page *page) {
  static const char *const keys[] = {"guest-kernel", "kernel",  "cpus", "memory",  "gic",
                                     "page-size",    "sandbox", "eret", "command", "kvm-events"};

  name_member(page, "facts");
  json_builder_begin_object(page->json);
  for (unsigned i = 0; i < G_N_ELEMENTS(keys); i++) {
    const char *value = recording_fact(page->switches->recording, keys[i]);
    if (!value)
      continue;
    name_member(page, keys[i]);
    add_text(page, value);
  }
  json_builder_end_object(page->json);
}

static void add_counts(Page *page) {
  const TraceSwitches *switches = page->switches;

  add_member(page, "span", switches->ends - switches->begins);
  add_member(page, "records", switches->recording->records->len);
  add_member(page, "switches", switches->switches->len);
  add_member(page, "vcpus", switches->n_vcpus);
  add_member(page, "unpaired", switches->unpaired);
  add_bool_member(page, "kernel", switches->has_kernel);
  add_bool_member(page, "truncated", switches->recording->truncated);
}

static bool is_moment(const TraceRecord *record) {
  return record->kind == TRACE_ERET_PHASE || record->kind == TRACE_ERET_MARK || record->kind == TRACE_LOST;
}

static void add_moment(Page *page, const TraceRecord *record) {
  json_builder_begin_array(page->json);
  add_number(page, record->time - page->switches->begins);
  add_number(page, record->kind);
  add_number(page, record->a);
  if (record->kind == TRACE_LOST)
    add_number(page, record->b);
  else
    add_text(page, recording_get_text(page->switches->recording, record->name));
  json_builder_end_array(page->json);
}

/* Phases, marks, losses: each [ns, kind, number, text or source]. */
static void add_moments(Page *page) {
  const GArray *records = page->switches->recording->records;
  uint64_t left_out = 0;
  guint n = 0;

  name_member(page, "moments");
  json_builder_begin_array(page->json);
  for (guint i = 0; i < records->len; i++) {
    const TraceRecord *record = &g_array_index(records, TraceRecord, i);
    if (!is_moment(record))
      continue;
    if (n++ < MOMENTS_MAX)
      add_moment(page, record);
    else
      left_out++;
  }
  json_builder_end_array(page->json);
  add_member(page, "momentsLeftOut", left_out);
}

/* By TraceSource. */
static void add_losses(Page *page) {
  name_member(page, "lost");
  json_builder_begin_array(page->json);
  for (unsigned i = 0; i < TRACE_N_SOURCES; i++)
    add_number(page, page->switches->recording->lost[i]);
  json_builder_end_array(page->json);
}

/* Switches. */

/*
 * The columns of a switch. Times are distances, and those that may be unknown have 1 added, so that 0 says so: `left`
 * from the `left` before, `guest` from the entry to `left`; the others as their names say.
 */
enum {
  SWITCH_VCPU,
  SWITCH_CLASS,
  SWITCH_LINE,
  SWITCH_LEFT,
  SWITCH_GUEST,
  SWITCH_LEFT_TO_USER,
  SWITCH_USER_FROM_TO,
  SWITCH_LEFT_TO_RETURNED,
  SWITCH_USER_NS,
  SWITCH_WAITED,
  SWITCH_N
};
static const char *const switch_columns[SWITCH_N] = {
    [SWITCH_VCPU] = "vcpu",
    [SWITCH_CLASS] = "class",
    [SWITCH_LINE] = "line",
    [SWITCH_LEFT] = "left",
    [SWITCH_GUEST] = "guest",
    [SWITCH_LEFT_TO_USER] = "leftToUser",
    [SWITCH_USER_FROM_TO] = "userFromTo",
    [SWITCH_LEFT_TO_RETURNED] = "leftToReturned",
    [SWITCH_USER_NS] = "userNs",
    [SWITCH_WAITED] = "waited",
};

/* 1 more than the time from FROM to TO, 0 when either is not known. */
static uint64_t known_distance(uint64_t from, uint64_t to) {
  return from && to >= from ? to - from + 1 : 0;
}

static void new_columns(GArray **columns, guint n) {
  for (guint i = 0; i < n; i++)
    columns[i] = g_array_new(FALSE, FALSE, sizeof(uint64_t));
}

static void append_row(GArray **columns, const uint64_t *row, guint n) {
  for (guint i = 0; i < n; i++)
    g_array_append_val(columns[i], row[i]);
}

/* Writes the columns, and frees them. */
static void finish_columns(Page *page, const char *member, const char *const *names, GArray **columns, guint n) {
  name_member(page, member);
  json_builder_begin_object(page->json);
  for (guint i = 0; i < n; i++) {
    column_write(page->json, page->blob, names[i], columns[i]);
    g_array_unref(columns[i]);
  }
  json_builder_end_object(page->json);
}

static void add_switches(Page *page) {
  const TraceSwitches *switches = page->switches;
  g_auto(TextTable) classes = text_table();
  g_autoptr(Lines) lines = lines_new();
  g_autoptr(GString) line = g_string_new(NULL);
  GArray *columns[SWITCH_N];
  uint64_t before = switches->begins;

  new_columns(columns, SWITCH_N);
  for (guint i = 0; i < MIN(switches->switches->len, SWITCHES_MAX); i++) {
    const TraceSwitch *one = &g_array_index(switches->switches, TraceSwitch, i);
    g_autofree char *class = trace_switch_class(switches, one);
    g_string_truncate(line, 0);
    trace_explain_switch(line, switches, one, page->symbols);
    const uint64_t row[SWITCH_N] = {
        [SWITCH_VCPU] = one->vcpu,
        [SWITCH_CLASS] = text_number(&classes, class),
        [SWITCH_LINE] = lines_add(lines, line->str),
        [SWITCH_LEFT] = one->left - before,
        [SWITCH_GUEST] = known_distance(one->entered, one->left),
        [SWITCH_LEFT_TO_USER] = one->user_from ? known_distance(one->left, one->user_from) : 0,
        [SWITCH_USER_FROM_TO] = known_distance(one->user_from, one->user_to),
        [SWITCH_LEFT_TO_RETURNED] = known_distance(one->left, one->returned),
        [SWITCH_USER_NS] = one->user_ns,
        [SWITCH_WAITED] = one->waited,
    };
    append_row(columns, row, SWITCH_N);
    before = one->left;
  }
  add_texts(page, "classes", &classes);
  name_member(page, "lines");
  lines_write(lines, page->json, page->blob);
  finish_columns(page, "switchColumns", switch_columns, columns, SWITCH_N);
}

/* What devices did: `time` as the distance from the event before; a request's is its end. */
enum { DEVICE_TIME, DEVICE_NAME, DEVICE_EVENT, DEVICE_DETAIL, DEVICE_A, DEVICE_B, DEVICE_C, DEVICE_N };
static const char *const device_columns[DEVICE_N] = {
    [DEVICE_TIME] = "time", [DEVICE_NAME] = "device", [DEVICE_EVENT] = "kind", [DEVICE_DETAIL] = "detail",
    [DEVICE_A] = "a",       [DEVICE_B] = "b",         [DEVICE_C] = "c",
};

/* The number of a record's kind for the page, or -1. */
static int device_event(const TraceRecord *record) {
  switch (record->kind) {
  case TRACE_ERET_REQUEST:
    return EVENT_REQUEST;
  case TRACE_ERET_INTERRUPT:
    return EVENT_INTERRUPT;
  case TRACE_ERET_DOORBELL:
    return EVENT_DOORBELL;
  default:
    return -1;
  }
}

static void add_device_events(Page *page) {
  const Recording *recording = page->switches->recording;
  g_auto(TextTable) devices = text_table(), details = text_table();
  GArray *columns[DEVICE_N];
  uint64_t before = page->switches->begins, left_out = 0;

  new_columns(columns, DEVICE_N);
  for (guint i = 0; i < recording->records->len; i++) {
    const TraceRecord *record = &g_array_index(recording->records, TraceRecord, i);
    int event = device_event(record);
    if (event < 0)
      continue;
    if (columns[0]->len >= EVENTS_MAX) {
      left_out++;
      continue;
    }
    const uint64_t row[DEVICE_N] = {
        [DEVICE_TIME] = record->time - before,
        [DEVICE_NAME] = text_number(&devices, recording_get_text(recording, record->name)),
        [DEVICE_EVENT] = (uint64_t)event,
        [DEVICE_DETAIL] = text_number(&details, recording_get_text(recording, record->detail)),
        [DEVICE_A] = record->a,
        [DEVICE_B] = record->b,
        [DEVICE_C] = record->c,
    };
    append_row(columns, row, DEVICE_N);
    before = record->time;
  }
  add_texts(page, "devices", &devices);
  add_texts(page, "details", &details);
  finish_columns(page, "deviceColumns", device_columns, columns, DEVICE_N);
  add_member(page, "deviceEventsLeftOut", left_out);
}

/* The page. */

/* JSON has these characters in its strings alone, where they may be written so; HTML then sees no element in it. */
static void append_json(GString *out, JsonBuilder *builder) {
  g_autoptr(JsonNode) root = json_builder_get_root(builder);
  g_autofree char *json = json_to_string(root, FALSE);

  for (const char *at = json; *at; at++) {
    if (strchr("<>&", *at))
      g_string_append_printf(out, "\\u%04x", (unsigned)*at);
    else
      g_string_append_c(out, *at);
  }
}

static void append_directory(GString *out, Page *page) {
  json_builder_begin_object(page->json);
  add_facts(page);
  add_counts(page);
  add_losses(page);
  add_moments(page);
  add_switches(page);
  add_device_events(page);
  html_add_devices(page->json, page->switches->recording);
  json_builder_end_object(page->json);
  append_json(out, page->json);
}

static void append_columns(GString *out, Page *page) {
  g_autofree char *encoded = column_encode(page->blob);
  g_string_append(out, encoded);
}

static void append_hash(GString *out, const char *data, size_t size) {
  uint8_t digest[32];
  gsize n = sizeof digest;
  g_autoptr(GChecksum) checksum = g_checksum_new(G_CHECKSUM_SHA256);

  g_checksum_update(checksum, (const guchar *)data, (gssize)size);
  g_checksum_get_digest(checksum, digest, &n);
  g_autofree char *encoded = g_base64_encode(digest, n);
  g_string_append_printf(out, "'sha256-%s'", encoded);
}

/* Nothing may be fetched; one script and one style, this one's; text never becomes markup. */
static void append_policy(GString *out, Page *page) {
  g_string_append(out, "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; require-trusted-types-for 'script'; "
                       "trusted-types 'none'; script-src ");
  append_hash(out, html_page_script, html_page_script_size);
  g_string_append(out, "; style-src ");
  append_hash(out, html_page_style, html_page_style_size);
}

static void append_style(GString *out, Page *page) {
  g_string_append_len(out, html_page_style, (gssize)html_page_style_size);
}

static void append_script(GString *out, Page *page) {
  g_string_append_len(out, html_page_script, (gssize)html_page_script_size);
}

/* The places of page.html that are filled in, in their order. */
static const struct {
  const char *place;
  void (*append)(GString *out, Page *page);
} places[] = {
    {"@POLICY@", append_policy},   {"@STYLE@", append_style},   {"@DIRECTORY@", append_directory},
    {"@COLUMNS@", append_columns}, {"@SCRIPT@", append_script},
};

void trace_html(GString *out, const TraceSwitches *switches, const Symbols *symbols) {
  g_autoptr(JsonBuilder) json = json_builder_new();
  g_autoptr(GByteArray) blob = g_byte_array_new();
  Page page = {.switches = switches, .symbols = symbols, .json = json, .blob = blob};
  const char *rest = html_page_skeleton, *end = html_page_skeleton + html_page_skeleton_size;

  for (unsigned i = 0; i < G_N_ELEMENTS(places); i++) {
    const char *at = g_strstr_len(rest, end - rest, places[i].place);
    g_assert(at);
    g_string_append_len(out, rest, at - rest);
    places[i].append(out, &page);
    rest = at + strlen(places[i].place);
  }
  g_string_append_len(out, rest, end - rest);
}
