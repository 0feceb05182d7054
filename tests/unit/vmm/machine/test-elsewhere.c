/* SPDX-License-Identifier: Apache-2.0 */
/* Queues that are served elsewhere, of a platform whose devices are made up: vmm/machine/elsewhere.c. */
#include "vmm/machine/elsewhere.h"

#include "tests/unit/directory.h"
#include "vmm/trace/recording.h"

static DeviceTraffic counted; /* by the host */

static bool traffic(const VirtioDevice *device, DeviceTraffic *to) {
  *to = counted;
  return true;
}

typedef struct {
  VirtioDeviceOps counting, silent;
  int call_fds[3];
  VirtioDevice card, other, own;
  Platform platform;
} Fixture;

static void setup(Fixture *f, gconstpointer data) {
  const PlatformDevice made[] = {{.virtio = &f->own}, {.virtio = NULL}, {.virtio = &f->card}, {.virtio = &f->other}};

  f->counting.traffic = traffic;
  f->call_fds[0] = f->call_fds[1] = 5; /* of three queues the first two; nobody uses it */
  f->call_fds[2] = -1;
  f->card =
      (VirtioDevice){.ops = &f->counting, .name = (char *)"card", .served_by = "/dev/vhost-net", .n_queues = 3, .call_fds = f->call_fds};
  f->other = (VirtioDevice){.ops = &f->silent, .name = (char *)"other", .served_by = "/run/other", .n_queues = 1, .call_fds = f->call_fds};
  f->own = (VirtioDevice){.ops = &f->counting, .name = (char *)"own", .n_queues = 1};
  f->platform.devices = g_array_new(FALSE, TRUE, sizeof(PlatformDevice));
  g_array_append_vals(f->platform.devices, made, G_N_ELEMENTS(made));
  counted = (DeviceTraffic){100, 6000, 1, 200, 12000, 2};
}

static void teardown(Fixture *f, gconstpointer data) {
  g_array_unref(f->platform.devices);
}

/* What the host had counted before is not the machine's. */
static void test_add(Fixture *f, gconstpointer data) {
  g_autoptr(Elsewhere) elsewhere = elsewhere_new(&f->platform);
  g_autoptr(GArray) devices = g_array_new(FALSE, TRUE, sizeof(DeviceCount));

  device_count_find(devices, "card")->doorbells = 4; /* of the queue that is not elsewhere */
  counted = (DeviceTraffic){103, 6180, 2, 204, 12400, 2};
  elsewhere_add(elsewhere, devices);
  g_assert_cmpuint(devices->len, ==, 2);
  const DeviceCount *card = &g_array_index(devices, DeviceCount, 0), *other = &g_array_index(devices, DeviceCount, 1);
  g_assert_cmpstr(card->served_by, ==, "/dev/vhost-net");
  g_assert_cmpuint(card->doorbells, ==, 4);
  g_assert_cmpuint(card->n_queues, ==, 3);
  g_assert_true(card->queues[0].elsewhere && card->queues[1].elsewhere && !card->queues[2].elsewhere);
  g_assert_true(card->has_traffic);
  g_assert_cmpuint(card->traffic.received, ==, 3);
  g_assert_cmpuint(card->traffic.received_bytes, ==, 180);
  g_assert_cmpuint(card->traffic.received_drops, ==, 1);
  g_assert_cmpuint(card->traffic.sent, ==, 4);
  g_assert_cmpuint(card->traffic.sent_bytes, ==, 400);
  g_assert_cmpuint(card->traffic.sent_drops, ==, 0);
  g_assert_cmpstr(other->device, ==, "other");
  g_assert_cmpstr(other->served_by, ==, "/run/other");
  g_assert_false(other->has_traffic);
}

static void test_record(Fixture *f, gconstpointer data) {
  g_autofree char *directory = directory_new(), *file = g_build_filename(directory, "recording", NULL);
  g_autoptr(Elsewhere) elsewhere = elsewhere_new(&f->platform);
  g_autoptr(GError) error = NULL;
  Recorder *recorder = recorder_new(file, 1 << 20, false, &error);

  g_assert_no_error(error);
  counted.received += 7;
  elsewhere_record(elsewhere, recorder);
  g_assert_true(recorder_finish(recorder, &error));
  g_autoptr(Recording) recording = recording_load(file, &error);
  g_assert_no_error(error);
  g_assert_cmpuint(recording->records->len, ==, 2);
  const TraceRecord *card = &g_array_index(recording->records, TraceRecord, 0), *other = card + 1;
  g_assert_cmpuint(card->kind, ==, TRACE_ERET_TRAFFIC);
  g_assert_cmpuint(card->flags, ==, 0);
  g_assert_cmpuint(card->a, ==, 7);
  g_assert_cmpuint(card->c, ==, 0);
  g_assert_cmpstr(recording_get_text(recording, card->name), ==, "card");
  g_assert_cmpstr(recording_get_text(recording, card->detail), ==, "/dev/vhost-net");
  g_assert_cmpuint(other->flags, ==, TRACE_TRAFFIC_UNKNOWN);
  directory_free(directory);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add("/elsewhere/add", Fixture, NULL, setup, test_add, teardown);
  g_test_add("/elsewhere/record", Fixture, NULL, setup, test_record, teardown);
  return g_test_run();
}
