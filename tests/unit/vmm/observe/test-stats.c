/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What --stats counts and shows: exits, devices, the timeline, and both forms of the whole. vmm/observe/exit-counts.c,
 * device-counts.c, timeline.c, vcpu-watch.c, stats*.c.
 */
#include <errno.h>
#include <json-glib/json-glib.h>
#include <string.h>

#include "vmm/arm/kvm-abi.h"
#include "vmm/observe/stats.h"
#include "vmm/observe/vcpu-watch.h"

static const char uart[] = "pl011", data_register[] = "UARTDR", flag_register[] = "UARTFR";

static const ExitSite write_data = {.cause = EXIT_BY_MMIO, .device = uart, .reg = data_register, .write = true};
static const ExitSite read_flag = {.cause = EXIT_BY_MMIO, .device = uart, .reg = flag_register};

static uint64_t count_from_to(const ExitCounts *counts, ExitCause first, ExitCause last) {
  g_autoptr(GArray) sites = exit_counts_sites(counts);
  uint64_t count = 0;

  for (unsigned i = 0; i < sites->len; i++) {
    const ExitSite *site = &g_array_index(sites, ExitSite, i);
    count += site->cause >= first && site->cause <= last ? site->count : 0;
  }
  return count;
}

static uint64_t count_all(const ExitCounts *counts) {
  return count_from_to(counts, 0, EXIT_N_CAUSES - 1);
}

static uint64_t count_cause(const ExitCounts *counts, ExitCause cause) {
  return count_from_to(counts, cause, cause);
}

static void test_exit_counts(void) {
  ExitCounts *counts = exit_counts_new();

  g_assert_cmpuint(count_all(counts), ==, 0);
  for (unsigned i = 0; i < 3; i++)
    exit_counts_add(counts, &write_data, 100, 10);
  for (unsigned i = 0; i < 5; i++)
    exit_counts_add(counts, &read_flag, 200, 20);
  exit_counts_add(counts, &(ExitSite){.cause = EXIT_BY_SIGNAL, .reg = ""}, 1, 1);
  g_autoptr(GArray) sites = exit_counts_sites(counts);
  g_assert_cmpuint(sites->len, ==, 3);
  const ExitSite *first = &g_array_index(sites, ExitSite, 0);
  g_assert_true(first->device == uart && first->reg == flag_register && !first->write);
  g_assert_cmpuint(first->count, ==, 5);
  g_assert_cmpuint(first->ns, ==, 100);
  g_assert_cmpuint(count_all(counts), ==, 9);
  g_assert_cmpuint(count_cause(counts, EXIT_BY_MMIO), ==, 8);
  g_assert_cmpuint(exit_counts_run_ns(counts), ==, 1301);
  g_assert_cmpuint(exit_counts_user_ns(counts), ==, 131);
  exit_counts_free(counts);
}

/* More kinds than there is room for: none is lost, the rest is told together. */
static void test_exit_counts_overflow(void) {
  static char names[5000];
  ExitCounts *counts = exit_counts_new();
  uint64_t sum = 0;

  for (unsigned i = 0; i < sizeof names; i++)
    exit_counts_add(counts, &(ExitSite){.cause = EXIT_BY_MMIO, .device = &names[i], .reg = ""}, 0, 0);
  g_autoptr(GArray) sites = exit_counts_sites(counts);
  for (unsigned i = 0; i < sites->len; i++)
    sum += g_array_index(sites, ExitSite, i).count;
  g_assert_cmpuint(sum, ==, sizeof names);
  g_assert_cmpuint(count_all(counts), ==, sizeof names);
  g_assert_cmpuint(g_array_index(sites, ExitSite, 0).count, >, 1);
  g_assert_cmpuint(g_array_index(sites, ExitSite, 0).cause, ==, EXIT_BY_OTHER);
  exit_counts_free(counts);
}

typedef struct {
  ExitCounts *counts;
  gint done; /* atomic */
} Reader;

/* A reader beside the counting thread never sees a broken site, and numbers only grow. */
static gpointer read_counts(gpointer data) {
  Reader *reader = data;
  uint64_t before = 0;

  while (!__atomic_load_n(&reader->done, __ATOMIC_SEQ_CST)) {
    g_autoptr(GArray) sites = exit_counts_sites(reader->counts);
    uint64_t now = count_all(reader->counts);
    g_assert_cmpuint(now, >=, before);
    before = now;
    for (unsigned i = 0; i < sites->len; i++)
      g_assert_nonnull(g_array_index(sites, ExitSite, i).reg);
  }
  return NULL;
}

static void test_exit_counts_threads(void) {
  static char names[500];
  Reader reader = {.counts = exit_counts_new()};
  GThread *thread = g_thread_new("reader", read_counts, &reader);

  for (unsigned round = 0; round < 200; round++)
    for (unsigned i = 0; i < sizeof names; i++)
      exit_counts_add(reader.counts, &(ExitSite){.cause = EXIT_BY_MMIO, .device = &names[i], .reg = ""}, 1, 1);
  __atomic_store_n(&reader.done, 1, __ATOMIC_SEQ_CST);
  g_thread_join(thread);
  g_assert_cmpuint(count_all(reader.counts), ==, 200 * sizeof names);
  exit_counts_free(reader.counts);
}

/* A vCPU's thread, played: four exits of four kinds. */
static void test_vcpu_watch(void) {
  ExitCounts *counts = exit_counts_new();
  VcpuWatch watch;

  vcpu_watch_init(&watch, 2, counts, NULL);
  vcpu_watch_begin(&watch);
  vcpu_watch_enter(&watch);
  g_assert_cmpuint(count_all(counts), ==, 0);
  vcpu_watch_return(&watch, KVM_EXIT_MMIO, 0);
  vcpu_watch_mmio(&watch, uart, data_register, 0x9000000, 4, true, 'x');
  g_assert_cmpuint(count_all(counts), ==, 0); /* it is not over yet */
  vcpu_watch_enter(&watch);
  g_assert_cmpuint(count_all(counts), ==, 1);
  vcpu_watch_return(&watch, KVM_EXIT_HYPERCALL, 0);
  vcpu_watch_hypercall(&watch, "eret_nop", 0xc6004506, false, 0);
  vcpu_watch_enter(&watch);
  vcpu_watch_return(&watch, 0, EINTR);
  vcpu_watch_enter(&watch);
  vcpu_watch_return(&watch, KVM_EXIT_SYSTEM_EVENT, 0);
  vcpu_watch_system_event(&watch, "SHUTDOWN");
  vcpu_watch_end(&watch);
  vcpu_watch_end(&watch); /* counts nothing twice */
  g_assert_cmpuint(count_all(counts), ==, 4);
  for (ExitCause cause = EXIT_BY_MMIO; cause <= EXIT_BY_SIGNAL; cause++)
    g_assert_cmpuint(count_cause(counts, cause), ==, 1);
  exit_counts_free(counts);
}

static void test_device_counts(void) {
  DeviceCounts *counts = device_counts_new(NULL, NULL);
  DeviceWatch *watch = device_counts_watch(counts);
  static const char reading[] = "read", writing[] = "write";

  device_watch_doorbell(watch, "virtio-blk0", 0, 3);
  device_watch_interrupt(watch, "virtio-blk0", 0);
  device_watch_request(watch, "virtio-blk0", 0, reading, 4096, device_watch_now(watch), false);
  device_watch_request(watch, "virtio-blk0", 0, reading, 512, device_watch_now(watch), true);
  device_watch_request(watch, "virtio-blk0", 0, writing, 1024, device_watch_now(watch), false);
  device_watch_interrupt(watch, "pl011", 0);
  device_watch_interrupt(NULL, "pl011", 0); /* nobody is listening */
  g_assert_cmpuint(device_watch_now(NULL), ==, 0);
  g_autoptr(GArray) devices = device_counts_get(counts);
  g_assert_cmpuint(devices->len, ==, 2);
  const DeviceCount *blk = &g_array_index(devices, DeviceCount, 0);
  g_assert_cmpuint(blk->doorbells, ==, 3);
  g_assert_cmpuint(blk->interrupts, ==, 1);
  g_assert_cmpuint(blk->n_requests, ==, 2);
  g_assert_cmpuint(blk->requests[0].count, ==, 2);
  g_assert_cmpuint(blk->requests[0].failed, ==, 1);
  g_assert_cmpuint(blk->requests[0].bytes, ==, 4096); /* what failed has moved nothing */
  g_assert_cmpuint(blk->requests[1].bytes, ==, 1024);
  g_assert_cmpuint(g_array_index(devices, DeviceCount, 1).interrupts, ==, 1);
  device_counts_free(counts);
}

/* A network card: each queue's, what was dropped and why; and more queues and events than there are places. */
static void test_device_queues(void) {
  static const char receive[] = "receive", bad[] = "dropped: bad header", down[] = "dropped: link down";
  static char names[40];
  DeviceCounts *counts = device_counts_new(NULL, NULL);
  DeviceWatch *watch = device_counts_watch(counts);

  device_watch_doorbell(watch, "virtio-net0", 3, 5);
  device_watch_interrupt(watch, "virtio-net0", 0);
  device_watch_request(watch, "virtio-net0", 0, receive, 60, device_watch_now(watch), false);
  device_watch_request(watch, "virtio-net0", 2, receive, 1514, device_watch_now(watch), false);
  device_watch_request(watch, "virtio-net0", 2, receive, 99, device_watch_now(watch), true);
  device_watch_event(watch, "virtio-net0", 1, bad);
  device_watch_event(watch, "virtio-net0", 3, bad);
  device_watch_event(watch, "virtio-net0", 1, down);
  device_watch_event(NULL, "virtio-net0", 1, down);
  for (unsigned i = 0; i < sizeof names; i++) {
    device_watch_event(watch, "other", 0, &names[i]);
    device_watch_doorbell(watch, "other", i, 1);
  }
  g_autoptr(GArray) devices = device_counts_get(counts);
  const DeviceCount *net = &g_array_index(devices, DeviceCount, 0), *other = &g_array_index(devices, DeviceCount, 1);
  g_assert_cmpuint(net->n_queues, ==, 4);
  g_assert_cmpuint(net->queues[3].doorbells, ==, 5);
  g_assert_cmpuint(net->queues[0].interrupts, ==, 1);
  g_assert_cmpuint(net->queues[0].bytes, ==, 60);
  g_assert_cmpuint(net->queues[2].requests, ==, 2);
  g_assert_cmpuint(net->queues[2].failed, ==, 1);
  g_assert_cmpuint(net->queues[2].bytes, ==, 1514);
  g_assert_cmpuint(net->n_events, ==, 2);
  g_assert_true(net->events[0].what == bad && net->events[1].what == down);
  g_assert_cmpuint(net->events[0].count, ==, 2);
  g_assert_cmpuint(other->n_queues, ==, QUEUES_MAX);
  g_assert_cmpuint(other->queues[QUEUES_MAX - 1].doorbells, ==, sizeof names - QUEUES_MAX + 1);
  g_assert_cmpuint(other->n_events, ==, EVENTS_MAX);
  g_assert_cmpuint(other->events[EVENTS_MAX - 1].count, ==, sizeof names - EVENTS_MAX + 1);
  device_counts_free(counts);
}

/* What a device sees of a boot is a moment of it, once; and again in the next one. */
static void test_device_steps(void) {
  static const Phase wanted[] = {PHASE_PROCESS_START, PHASE_TABLES_TAKEN, PHASE_FIRST_DISK_REQUEST,
                                 PHASE_KERNEL_TAKEN,  PHASE_REBOOT,       PHASE_FIRST_DISK_REQUEST};
  g_autoptr(Timeline) timeline = timeline_new();
  DeviceCounts *counts = device_counts_new(NULL, timeline);
  DeviceWatch *watch = device_counts_watch(counts);

  device_watch_step(NULL, DEVICE_STEP_TABLES);
  for (unsigned i = 0; i < 3; i++)
    device_watch_step(watch, DEVICE_STEP_TABLES);
  device_watch_step(watch, DEVICE_STEP_DISK);
  device_watch_step(watch, DEVICE_STEP_KERNEL);
  device_watch_step(watch, DEVICE_STEP_DISK);
  timeline_add(timeline, PHASE_REBOOT);
  device_watch_step(watch, DEVICE_STEP_DISK);
  g_autoptr(GArray) entries = timeline_entries(timeline);
  g_assert_cmpuint(entries->len, ==, G_N_ELEMENTS(wanted));
  for (unsigned i = 0; i < entries->len; i++)
    g_assert_cmpuint(g_array_index(entries, TimelineEntry, i).phase, ==, wanted[i]);
  device_counts_free(counts);
}

static void test_timeline(void) {
  g_autoptr(Timeline) timeline = timeline_new();

  g_assert_true(timeline_has(timeline, PHASE_PROCESS_START));
  g_assert_false(timeline_has(timeline, PHASE_FIRST_EXIT));
  timeline_add(timeline, PHASE_OPTIONS_READ);
  timeline_add(timeline, PHASE_FIRST_EXIT);
  timeline_add(timeline, PHASE_FIRST_EXIT); /* only the first is one */
  timeline_mark(timeline, 42, "half way", trace_now());
  timeline_add(timeline, PHASE_REBOOT);
  g_assert_false(timeline_has(timeline, PHASE_FIRST_EXIT)); /* in this boot */
  timeline_add(timeline, PHASE_FIRST_EXIT);
  timeline_add(timeline, PHASE_GUEST_END);
  g_autoptr(GArray) entries = timeline_entries(timeline);
  static const Phase wanted[] = {PHASE_PROCESS_START, PHASE_OPTIONS_READ, PHASE_FIRST_EXIT, PHASE_MARK,
                                 PHASE_REBOOT,        PHASE_FIRST_EXIT,   PHASE_GUEST_END};
  g_assert_cmpuint(entries->len, ==, G_N_ELEMENTS(wanted));
  for (unsigned i = 0; i < entries->len; i++)
    g_assert_cmpuint(g_array_index(entries, TimelineEntry, i).phase, ==, wanted[i]);
  g_assert_cmpstr(g_array_index(entries, TimelineEntry, 3).text, ==, "half way");
}

/* A guest that never stops marking costs no more memory than the list has. */
static void test_timeline_is_bounded(void) {
  g_autoptr(Timeline) timeline = timeline_new();

  for (unsigned i = 0; i < 100000; i++)
    timeline_mark(timeline, i, "again", i);
  g_autoptr(GArray) entries = timeline_entries(timeline);
  g_assert_cmpuint(entries->len, ==, 1024);
}

static GArray *some_moments(void) {
  GArray *entries = g_array_new(FALSE, FALSE, sizeof(TimelineEntry));
  const TimelineEntry moments[] = {
      {.phase = PHASE_PROCESS_START, .ns = 1000000},
      {.phase = PHASE_KERNEL_LOADED, .ns = 6000000},
      {.phase = PHASE_MARK, .ns = 6000000, .number = 7, .text = (char *)"seven"},
      {.phase = PHASE_GUEST_END, .ns = 11000000},
  };
  g_array_append_vals(entries, moments, G_N_ELEMENTS(moments));
  return entries;
}

static void test_waterfall(void) {
  g_autoptr(GArray) entries = some_moments();
  GString *out = g_string_new(NULL);

  timeline_print(entries, 76, out); /* 20 columns of bars */
  g_assert_cmpstr(out->str, ==,
                  "boot                                  at          took\n"
                  "process start                   0.000 ms      0.000 ms\n"
                  "kernel loaded                   5.000 ms      5.000 ms  ##########\n"
                  "mark 7 seven                    5.000 ms      0.000 ms\n"
                  "guest end                      10.000 ms      5.000 ms            ##########\n");
  g_string_free(out, TRUE);
}

/* A phase is called the same everywhere: in files with dashes, for people with spaces, in whatever case is usual. */
static void test_phase_names(void) {
  for (Phase phase = 0; phase < PHASE_N; phase++) {
    g_autofree char *text = g_ascii_strdown(phase_text(phase), -1);
    g_strdelimit(text, " ", '-');
    g_assert_cmpstr(text, ==, phase_name(phase));
  }
}

static Stats *sample(void) {
  Stats *stats = stats_new();

  for (unsigned i = 0; i < 2; i++) {
    StatsVcpu vcpu = {
        .index = i,
        .sites = g_array_new(FALSE, TRUE, sizeof(ExitSite)),
        .run_ns = 1000000 * (i + 1),
        .user_ns = 1000,
        .kvm = g_array_new(FALSE, TRUE, sizeof(StatsCounter)),
    };
    ExitSite write = write_data, read = read_flag;
    write.count = 10 + i;
    read.count = 100;
    read.ns = 5000;
    g_array_append_val(vcpu.sites, write);
    g_array_append_val(vcpu.sites, read);
    stats_counter_add(vcpu.kvm, "exits", 1000);
    stats_counter_add(vcpu.kvm, "exits", 234 + i);
    stats_counter_add(vcpu.kvm, "never", 0);
    g_array_append_val(stats->vcpus, vcpu);
  }
  stats_counter_add(stats->kvm, "remote_tlb_flush", 5);
  stats->timeline = some_moments();
  DeviceCount work = {.device = "virtio-blk0", .doorbells = 4, .n_requests = 1, .requests = {{.kind = "read", .count = 2, .bytes = 4096}}};
  stats->devices = g_array_new(FALSE, TRUE, sizeof(DeviceCount));
  g_array_append_val(stats->devices, work);
  DeviceCount card = {.device = "virtio-net0",
                      .served_by = "/dev/vhost-net",
                      .has_traffic = true,
                      .traffic = {.received = 1200, .received_bytes = 2048, .received_drops = 1, .sent = 7, .sent_bytes = 420},
                      .n_queues = 3,
                      .queues = {{.elsewhere = true}, {.elsewhere = true}, {.doorbells = 2, .requests = 3, .failed = 1, .bytes = 512}},
                      .n_events = 1,
                      .events = {{"dropped: bad header", 9}}};
  g_array_append_val(stats->devices, card);
  stats->unclaimed = 3;
  return stats;
}

static void test_text(void) {
  g_autoptr(Stats) stats = sample();
  g_autofree char *text = stats_text(stats);
  static const char *const wanted[] = {
      "pl011 UARTFR read",
      "pl011 UARTDR write",
      "exits                                    1,234       1,235         2,469",
      "remote_tlb_flush",
      "where nothing is: 3",
      "2 read (4.0 KiB)",
      "kernel loaded",
      "mark 7 seven",
      "served by /dev/vhost-net, which does not tell",
      "2 done (512 bytes), 1 failed",
      "counts to the guest 1,200 packets (2.0 KiB), 1 dropped; from it 7 (420 bytes), 0 dropped",
      "  dropped: bad header: 9\n",
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(wanted); i++)
    if (!strstr(text, wanted[i]))
      g_error("'%s' is missing in\n%s", wanted[i], text);
  g_assert_null(strstr(text, "never")); /* what is zero everywhere says nothing */
}

static void test_json(void) {
  g_autoptr(Stats) stats = sample();
  g_autofree char *text = stats_json(stats);
  g_autoptr(JsonParser) parser = json_parser_new();
  g_autoptr(GError) error = NULL;

  json_parser_load_from_data(parser, text, -1, &error);
  g_assert_no_error(error);
  JsonObject *root = json_node_get_object(json_parser_get_root(parser));
  JsonObject *total = json_object_get_object_member(root, "total");
  g_assert_cmpint(json_object_get_int_member(total, "exits"), ==, 221);
  g_assert_cmpint(json_object_get_int_member(total, "run_ns"), ==, 3000000);
  g_assert_cmpint(json_object_get_int_member(json_object_get_object_member(total, "kvm"), "exits"), ==, 2469);
  JsonObject *site = json_array_get_object_element(json_object_get_array_member(total, "sites"), 0);
  g_assert_cmpstr(json_object_get_string_member(site, "register"), ==, "UARTFR");
  g_assert_cmpstr(json_object_get_string_member(site, "access"), ==, "read");
  g_assert_cmpint(json_object_get_int_member(site, "count"), ==, 200);
  g_assert_cmpint(json_array_get_length(json_object_get_array_member(root, "vcpus")), ==, 2);
  JsonArray *devices = json_object_get_array_member(root, "devices");
  g_assert_cmpint(json_array_get_length(devices), ==, 3);
  JsonObject *pl011 = json_array_get_object_element(devices, 0);
  g_assert_cmpstr(json_object_get_string_member(pl011, "name"), ==, "pl011");
  g_assert_cmpint(json_object_get_int_member(pl011, "exits"), ==, 221);
  JsonObject *blk = json_array_get_object_element(devices, 1);
  g_assert_cmpint(json_object_get_int_member(blk, "doorbells"), ==, 4);
  JsonObject *read = json_array_get_object_element(json_object_get_array_member(blk, "requests"), 0);
  g_assert_cmpint(json_object_get_int_member(read, "bytes"), ==, 4096);
  g_assert_cmpint(json_array_get_length(json_object_get_array_member(blk, "queues")), ==, 0); /* it has one */
  JsonObject *net = json_array_get_object_element(devices, 2);
  JsonArray *queues = json_object_get_array_member(net, "queues");
  g_assert_cmpint(json_array_get_length(queues), ==, 3);
  g_assert_cmpstr(json_object_get_string_member(json_array_get_object_element(queues, 1), "served_by"), ==, "/dev/vhost-net");
  g_assert_false(json_object_has_member(json_array_get_object_element(queues, 1), "doorbells"));
  g_assert_cmpint(json_object_get_int_member(json_array_get_object_element(queues, 2), "bytes"), ==, 512);
  JsonObject *event = json_array_get_object_element(json_object_get_array_member(net, "events"), 0);
  g_assert_cmpstr(json_object_get_string_member(event, "event"), ==, "dropped: bad header");
  g_assert_cmpint(json_object_get_int_member(event, "count"), ==, 9);
  g_assert_cmpint(json_object_get_int_member(json_object_get_object_member(net, "host_counts"), "received"), ==, 1200);
  JsonObject *end = json_array_get_object_element(json_object_get_array_member(root, "timeline"), 3);
  g_assert_cmpstr(json_object_get_string_member(end, "phase"), ==, "guest-end");
  g_assert_cmpint(json_object_get_int_member(end, "ns"), ==, 10000000);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/stats/exit-counts", test_exit_counts);
  g_test_add_func("/stats/exit-counts/overflow", test_exit_counts_overflow);
  g_test_add_func("/stats/exit-counts/threads", test_exit_counts_threads);
  g_test_add_func("/stats/vcpu-watch", test_vcpu_watch);
  g_test_add_func("/stats/device-counts", test_device_counts);
  g_test_add_func("/stats/device-counts/queues", test_device_queues);
  g_test_add_func("/stats/device-steps", test_device_steps);
  g_test_add_func("/stats/timeline", test_timeline);
  g_test_add_func("/stats/timeline/bounded", test_timeline_is_bounded);
  g_test_add_func("/stats/timeline/waterfall", test_waterfall);
  g_test_add_func("/stats/timeline/names", test_phase_names);
  g_test_add_func("/stats/text", test_text);
  g_test_add_func("/stats/json", test_json);
  return g_test_run();
}
