/* SPDX-License-Identifier: Apache-2.0 */
/* The virtio core: features, status, service, failure, pause and reset: devices/virtio/virtio.c. */
#include "tests/unit/devices/virtio/fake-driver.h"

#define ACK_DRIVER     (VIRTIO_STATUS_ACKNOWLEDGE | VIRTIO_STATUS_DRIVER)
#define NEGOTIATED     (ACK_DRIVER | VIRTIO_STATUS_FEATURES_OK)
#define LIVE           (NEGOTIATED | VIRTIO_STATUS_DRIVER_OK)
#define VERSION_1_WORD 1u /* VIRTIO_F_VERSION_1 in word 1 */

typedef struct {
  FakeGuest guest;
  Loopback *loopback;
  VirtioDevice *device;
  FakeQueue driver[LOOPBACK_QUEUES];
  int queue_interrupts[LOOPBACK_QUEUES], config_interrupts; /* atomic */
} Fixture;

static void count_queue_interrupt(void *transport, unsigned queue) {
  __atomic_fetch_add(&((Fixture *)transport)->queue_interrupts[queue], 1, __ATOMIC_SEQ_CST);
}

static void count_config_interrupt(void *transport) {
  __atomic_fetch_add(&((Fixture *)transport)->config_interrupts, 1, __ATOMIC_SEQ_CST);
}

static const VirtioTransportOps transport_ops = {.queue_interrupt = count_queue_interrupt, .config_interrupt = count_config_interrupt};

static void set_up(Fixture *f, gconstpointer data) {
  fake_guest_init(&f->guest);
  f->loopback = loopback_new(&f->guest.memory);
  f->device = &f->loopback->base;
  virtio_device_connect(f->device, &transport_ops, f);
  f->driver[0] = fake_queue(&f->guest, 0, LOOPBACK_QUEUE_SIZE);
  f->driver[1] = fake_queue(&f->guest, 1, LOOPBACK_QUEUE_SIZE / 2);
}

static void tear_down(Fixture *f, gconstpointer data) {
  virtio_device_free(f->device);
  fake_guest_clear(&f->guest);
}

static void negotiate(Fixture *f, uint32_t low) {
  virtio_set_status(f->device, VIRTIO_STATUS_ACKNOWLEDGE);
  virtio_set_status(f->device, ACK_DRIVER);
  virtio_set_driver_features(f->device, 0, low);
  virtio_set_driver_features(f->device, 1, VERSION_1_WORD);
  virtio_set_status(f->device, NEGOTIATED);
  g_assert_cmphex(virtio_get_status(f->device), ==, NEGOTIATED);
}

static void configure(Fixture *f, unsigned index) {
  VirtQueue *queue = virtio_queue_to_configure(f->device, index);
  g_assert_nonnull(queue);
  queue->config.descriptors = f->driver[index].descriptors;
  queue->config.driver = f->driver[index].driver;
  queue->config.device = f->driver[index].device;
  queue->config.ready = true;
}

static void go_live(Fixture *f, uint32_t low) {
  negotiate(f, low);
  configure(f, 0);
  configure(f, 1);
  virtio_set_status(f->device, LIVE);
  g_assert_cmphex(virtio_get_status(f->device), ==, LIVE);
}

static void echo(Fixture *f, unsigned queue, uint16_t head, const char *text) {
  uint16_t before = fake_used_idx(&f->driver[queue]);
  fake_offer_text(&f->driver[queue], head, text);
  virtio_ring_doorbell(f->device, queue);
  WAIT_FOR(fake_used_idx(&f->driver[queue]) == (uint16_t)(before + 1));
  g_assert_cmpstr(fake_answer(&f->driver[queue], head), ==, text);
}

/* Somebody who counts. */
typedef struct {
  DeviceWatch watch; /* first */
  gint doorbells, interrupts;
} Counter;

static void count_doorbell(DeviceWatch *watch, const char *device, unsigned queue, uint64_t rings) {
  __atomic_fetch_add(&((Counter *)watch)->doorbells, (gint)rings, __ATOMIC_SEQ_CST);
}

static void count_interrupt(DeviceWatch *watch, const char *device, unsigned vector) {
  __atomic_fetch_add(&((Counter *)watch)->interrupts, 1, __ATOMIC_SEQ_CST);
}

/* The guest's rings count; those by which a device wakes itself do not. */
static void test_watch(Fixture *f, gconstpointer data) {
  Counter counter = {.watch = {.doorbell = count_doorbell, .interrupt = count_interrupt}};

  f->device->watch = &counter.watch;
  go_live(f, 0);
  echo(f, 0, 0, "one");
  echo(f, 0, 1, "two");
  echo(f, 1, 0, "three");
  virtio_device_pause(f->device); /* the thread has seen everything */
  g_assert_cmpint(__atomic_load_n(&counter.doorbells, __ATOMIC_SEQ_CST), ==, 3);
  g_assert_cmpint(__atomic_load_n(&counter.interrupts, __ATOMIC_SEQ_CST), ==, f->queue_interrupts[0] + f->queue_interrupts[1]);
  virtio_device_resume(f->device);
}

static void test_features(Fixture *f, gconstpointer data) {
  g_assert_cmphex(virtio_get_device_features(f->device, 0), ==, LOOPBACK_FEATURE | VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX);
  g_assert_cmphex(virtio_get_device_features(f->device, 1), ==, (VIRTIO_F_VERSION_1 | LOOPBACK_FEATURE_HI) >> 32);
  g_assert_cmphex(virtio_get_device_features(f->device, 2), ==, 0);
  g_assert_cmphex(virtio_get_device_features(f->device, UINT32_MAX), ==, 0);

  virtio_set_driver_features(f->device, 0, 0x12345678);
  virtio_set_driver_features(f->device, 1, 0x9abcdef0);
  virtio_set_driver_features(f->device, 2, UINT32_MAX);
  virtio_set_driver_features(f->device, UINT32_MAX, UINT32_MAX);
  g_assert_cmphex(virtio_get_driver_features(f->device, 0), ==, 0x12345678);
  g_assert_cmphex(virtio_get_driver_features(f->device, 1), ==, 0x9abcdef0);
  g_assert_cmphex(virtio_get_driver_features(f->device, 2), ==, 0);
  virtio_set_driver_features(f->device, 0, 1);
  g_assert_cmphex(virtio_get_driver_features(f->device, 0), ==, 1);
  g_assert_cmphex(virtio_get_driver_features(f->device, 1), ==, 0x9abcdef0);
  virtio_set_status(f->device, 0);
  g_assert_cmphex(virtio_get_driver_features(f->device, 0), ==, 0);
}

static void refuse(Fixture *f, uint32_t low, uint32_t high) {
  virtio_set_status(f->device, 0);
  virtio_set_status(f->device, ACK_DRIVER);
  virtio_set_driver_features(f->device, 0, low);
  virtio_set_driver_features(f->device, 1, high);
  virtio_set_status(f->device, NEGOTIATED);
  g_assert_cmphex(virtio_get_status(f->device), ==, ACK_DRIVER);
  /* And no way round it. */
  virtio_set_status(f->device, LIVE);
  g_assert_cmphex(virtio_get_status(f->device), ==, ACK_DRIVER);
  g_assert_cmpint(f->loopback->starts, ==, 0);
}

static void test_features_refused(Fixture *f, gconstpointer data) {
  refuse(f, LOOPBACK_FEATURE, 0);    /* a legacy driver */
  refuse(f, 1, VERSION_1_WORD);      /* not offered */
  refuse(f, 0, VERSION_1_WORD | 2);  /* not offered: ACCESS_PLATFORM */
  refuse(f, UINT32_MAX, UINT32_MAX); /* everything */
  virtio_set_driver_features(f->device, 0, LOOPBACK_FEATURE);
  virtio_set_driver_features(f->device, 1, VERSION_1_WORD);
  virtio_set_status(f->device, NEGOTIATED); /* a driver may try again */
  g_assert_cmphex(virtio_get_status(f->device), ==, NEGOTIATED);
  g_assert_cmphex(f->device->features, ==, LOOPBACK_FEATURE | VIRTIO_F_VERSION_1);
}

static void test_features_fixed(Fixture *f, gconstpointer data) {
  negotiate(f, (uint32_t)VIRTIO_F_EVENT_IDX);
  g_assert_true(f->device->queues[0].event_idx && f->device->queues[1].event_idx);
  g_assert_false(f->device->queues[0].indirect);
  virtio_set_driver_features(f->device, 0, (uint32_t)VIRTIO_F_INDIRECT_DESC);
  g_assert_cmphex(virtio_get_driver_features(f->device, 0), ==, VIRTIO_F_EVENT_IDX);
  virtio_set_status(f->device, 0);
  g_assert_false(f->device->queues[0].event_idx);
  negotiate(f, (uint32_t)VIRTIO_F_INDIRECT_DESC);
  g_assert_true(f->device->queues[0].indirect);
  g_assert_false(f->device->queues[0].event_idx);
}

static void test_status(Fixture *f, gconstpointer data) {
  g_assert_cmphex(virtio_get_status(f->device), ==, 0);
  virtio_set_status(f->device, VIRTIO_STATUS_DRIVER_OK); /* before everything else */
  g_assert_cmphex(virtio_get_status(f->device), ==, 0);
  virtio_set_status(f->device, VIRTIO_STATUS_NEEDS_RESET | 0x30); /* not the driver's */
  g_assert_cmphex(virtio_get_status(f->device), ==, 0);
  virtio_set_status(f->device, VIRTIO_STATUS_ACKNOWLEDGE);
  virtio_set_status(f->device, VIRTIO_STATUS_DRIVER); /* bits are only added */
  g_assert_cmphex(virtio_get_status(f->device), ==, ACK_DRIVER);
  virtio_set_status(f->device, ACK_DRIVER | VIRTIO_STATUS_FAILED);
  g_assert_cmphex(virtio_get_status(f->device), ==, ACK_DRIVER | VIRTIO_STATUS_FAILED);
  g_assert_cmpint(f->loopback->starts, ==, 0);
  virtio_set_status(f->device, 0);
  g_assert_cmphex(virtio_get_status(f->device), ==, 0);
  g_assert_cmpint(f->loopback->resets, ==, 1);
  /* All at once. */
  virtio_set_driver_features(f->device, 1, VERSION_1_WORD);
  virtio_set_status(f->device, LIVE);
  g_assert_cmphex(virtio_get_status(f->device), ==, LIVE);
  g_assert_cmpint(f->loopback->starts, ==, 1);
  virtio_set_status(f->device, LIVE); /* again: nothing fresh */
  g_assert_cmpint(f->loopback->starts, ==, 1);
}

static void test_service(Fixture *f, gconstpointer data) {
  fake_offer_text(&f->driver[0], 2, "before anyone looked");
  go_live(f, 0);
  WAIT_FOR(fake_used_idx(&f->driver[0]) == 1); /* without a doorbell */
  g_assert_cmpstr(fake_answer(&f->driver[0], 2), ==, "before anyone looked");
  echo(f, 0, 4, "one");
  echo(f, 1, 6, "two");
  echo(f, 0, 8, "three");
  WAIT_FOR(__atomic_load_n(&f->queue_interrupts[0], __ATOMIC_SEQ_CST) == 3);
  WAIT_FOR(__atomic_load_n(&f->queue_interrupts[1], __ATOMIC_SEQ_CST) == 1);
  g_assert_cmpint(f->config_interrupts, ==, 0);
  virtio_ring_doorbell(f->device, LOOPBACK_QUEUES); /* out of range: nothing */
  virtio_ring_doorbell(f->device, UINT32_MAX);
  fake_set_avail_flags(&f->driver[0], 1);
  echo(f, 0, 10, "four");
  echo(f, 1, 0, "five"); /* so the fourth has been through */
  WAIT_FOR(__atomic_load_n(&f->queue_interrupts[1], __ATOMIC_SEQ_CST) == 2);
  g_assert_cmpint(f->queue_interrupts[0], ==, 3);
}

/* Only queues that the driver enabled are served. */
static void test_one_queue(Fixture *f, gconstpointer data) {
  negotiate(f, 0);
  configure(f, 1);
  virtio_set_status(f->device, LIVE);
  fake_offer_text(&f->driver[0], 0, "nobody listens");
  virtio_ring_doorbell(f->device, 0);
  echo(f, 1, 4, "somebody does");
  g_assert_cmpint(f->loopback->notifies[0], ==, 0);
  g_assert_cmpuint(fake_used_idx(&f->driver[0]), ==, 0);
}

static void test_configuration_fixed(Fixture *f, gconstpointer data) {
  g_assert_nonnull(virtio_queue_to_configure(f->device, 0));
  g_assert_null(virtio_queue_to_configure(f->device, LOOPBACK_QUEUES));
  g_assert_null(virtio_queue(f->device, LOOPBACK_QUEUES));
  negotiate(f, 0);
  configure(f, 0);
  g_assert_null(virtio_queue_to_configure(f->device, 0)); /* ready */
  g_assert_nonnull(virtio_queue_to_configure(f->device, 1));
  virtio_set_status(f->device, LIVE);
  g_assert_null(virtio_queue_to_configure(f->device, 1)); /* DRIVER_OK */
  virtio_set_status(f->device, 0);
  g_assert_nonnull(virtio_queue_to_configure(f->device, 0));
  g_assert_cmphex(virtio_queue(f->device, 0)->config.descriptors, ==, 0);
  g_assert_cmpuint(virtio_queue(f->device, 1)->config.size, ==, LOOPBACK_QUEUE_SIZE / 2);
}

static void test_needs_reset(Fixture *f, gconstpointer data) {
  go_live(f, 0);
  echo(f, 0, 0, "fine");
  fake_descriptor(&f->driver[0], 5, 0, 4, 0, 0); /* outside memory */
  fake_offer(&f->driver[0], 5);
  virtio_ring_doorbell(f->device, 0);
  WAIT_FOR(__atomic_load_n(&f->config_interrupts, __ATOMIC_SEQ_CST) == 1);
  g_assert_cmphex(virtio_get_status(f->device), ==, LIVE | VIRTIO_STATUS_NEEDS_RESET);
  g_assert_cmpuint(fake_used_idx(&f->driver[0]), ==, 1);

  /* No queue is served any more. */
  int notifies = __atomic_load_n(&f->loopback->notifies[1], __ATOMIC_SEQ_CST);
  fake_offer_text(&f->driver[1], 0, "too late");
  virtio_ring_doorbell(f->device, 1);
  fake_settle(f->device);
  virtio_device_pause(f->device); /* brings nothing back */
  virtio_device_resume(f->device);
  g_assert_cmpint(__atomic_load_n(&f->loopback->notifies[1], __ATOMIC_SEQ_CST), ==, notifies);
  g_assert_cmpuint(fake_used_idx(&f->driver[1]), ==, 0);
  g_assert_cmpint(f->config_interrupts, ==, 1);
  virtio_set_status(f->device, LIVE); /* does not take it back */
  g_assert_cmphex(virtio_get_status(f->device), ==, LIVE | VIRTIO_STATUS_NEEDS_RESET);

  /* But a reset does. */
  virtio_set_status(f->device, 0);
  g_assert_cmphex(virtio_get_status(f->device), ==, 0);
  memset(f->guest.ram, 0, 0x20000);
  f->driver[0].avail_idx = f->driver[1].avail_idx = 0;
  go_live(f, 0);
  echo(f, 0, 0, "again");
}

static void test_bad_queue_configuration(Fixture *f, gconstpointer data) {
  negotiate(f, 0);
  configure(f, 0);
  virtio_queue_to_configure(f->device, 1)->config.size = 3;
  configure(f, 1);
  virtio_set_status(f->device, LIVE);
  g_assert_cmphex(virtio_get_status(f->device), ==, LIVE | VIRTIO_STATUS_NEEDS_RESET);
  g_assert_cmpint(f->config_interrupts, ==, 1);
  g_assert_cmpint(f->loopback->starts, ==, 0);
  virtio_set_status(f->device, 0);
  g_assert_cmpint(f->loopback->stops, ==, 0);
  go_live(f, 0);
  echo(f, 1, 0, "good size");
}

static void test_failure_at_start(Fixture *f, gconstpointer data) {
  f->loopback->fail_at_start = 1;
  fake_offer_text(&f->driver[0], 0, "nobody listens");
  negotiate(f, 0);
  configure(f, 0);
  virtio_set_status(f->device, LIVE);
  g_assert_cmphex(virtio_get_status(f->device), ==, LIVE | VIRTIO_STATUS_NEEDS_RESET);
  g_assert_cmpint(f->config_interrupts, ==, 1);
  g_assert_cmpint(f->loopback->notifies[0], ==, 0);
  virtio_set_status(f->device, 0);
  g_assert_cmpint(f->loopback->stops, ==, 1);
}

static void test_pause(Fixture *f, gconstpointer data) {
  go_live(f, 0);
  echo(f, 0, 0, "before");
  virtio_device_pause(f->device);
  g_assert_cmpint(f->loopback->stops, ==, 1);
  virtio_device_pause(f->device); /* twice is once */
  g_assert_cmpint(f->loopback->stops, ==, 1);
  fake_offer_text(&f->driver[0], 2, "during");
  virtio_ring_doorbell(f->device, 0);
  g_usleep(20000);
  g_assert_cmpuint(fake_used_idx(&f->driver[0]), ==, 1);
  virtio_device_resume(f->device);
  WAIT_FOR(fake_used_idx(&f->driver[0]) == 2);
  g_assert_cmpstr(fake_answer(&f->driver[0], 2), ==, "during");
  virtio_device_resume(f->device);
  g_assert_cmpint(f->loopback->starts, ==, 2);
  echo(f, 0, 4, "after");
}

/* What was available is served before the pause, doorbell or not. */
static void test_pause_serves(Fixture *f, gconstpointer data) {
  go_live(f, 0);
  fake_offer_text(&f->driver[1], 2, "last words");
  virtio_device_pause(f->device);
  g_assert_cmpuint(fake_used_idx(&f->driver[1]), ==, 1);
  g_assert_cmpstr(fake_answer(&f->driver[1], 2), ==, "last words");
}

/* Chains that were left in the queue need no new doorbell. */
static void test_pause_left_over(Fixture *f, gconstpointer data) {
  go_live(f, 0);
  __atomic_store_n(&f->loopback->hold, 1, __ATOMIC_SEQ_CST);
  fake_offer_text(&f->driver[0], 2, "left");
  int before = __atomic_load_n(&f->loopback->notifies[0], __ATOMIC_SEQ_CST);
  virtio_ring_doorbell(f->device, 0);
  WAIT_FOR(__atomic_load_n(&f->loopback->notifies[0], __ATOMIC_SEQ_CST) == before + 1);
  virtio_device_pause(f->device);
  __atomic_store_n(&f->loopback->hold, 0, __ATOMIC_SEQ_CST);
  virtio_device_resume(f->device);
  WAIT_FOR(fake_used_idx(&f->driver[0]) == 1);
}

static void test_reset_while_paused(Fixture *f, gconstpointer data) {
  go_live(f, 0);
  virtio_device_pause(f->device);
  for (unsigned i = 0; i < LOOPBACK_QUEUES; i++)
    virtio_ring_doorbell(f->device, i); /* a ring that nobody has heard must not outlive the reset */
  virtio_device_reset(f->device);
  g_assert_cmphex(virtio_get_status(f->device), ==, 0);
  for (unsigned i = 0; i < LOOPBACK_QUEUES; i++) {
    uint64_t count;
    g_assert_cmpint(read(f->device->doorbell_fds[i], &count, sizeof count), <, 0);
  }
  virtio_device_resume(f->device);
  g_assert_cmpint(f->loopback->starts, ==, 1);
  go_live(f, 0);
  g_assert_cmpint(f->loopback->starts, ==, 2);
}

static void test_paused_before_driver_ok(Fixture *f, gconstpointer data) {
  virtio_device_pause(f->device);
  go_live(f, 0);
  g_assert_cmpint(f->loopback->starts, ==, 0);
  virtio_device_resume(f->device);
  g_assert_cmpint(f->loopback->starts, ==, 1);
  echo(f, 0, 0, "late start");
}

static void test_reset(Fixture *f, gconstpointer data) {
  for (int round = 1; round <= 5; round++) {
    memset(f->guest.ram, 0, 0x20000);
    f->driver[0].avail_idx = f->driver[1].avail_idx = 0;
    go_live(f, round & 1 ? (uint32_t)VIRTIO_F_EVENT_IDX : 0);
    echo(f, 0, 0, "round");
    virtio_ring_doorbell(f->device, 1); /* on its way */
    virtio_device_reset(f->device);
    g_assert_cmpint(f->loopback->stops, ==, round);
    g_assert_cmpint(f->loopback->resets, ==, round);
    g_assert_cmphex(virtio_get_status(f->device), ==, 0);
    g_assert_cmphex(f->device->features, ==, 0);
  }
}

static void test_queue_disable(Fixture *f, gconstpointer data) {
  go_live(f, (uint32_t)VIRTIO_F_EVENT_IDX);
  echo(f, 0, 0, "zero");
  echo(f, 1, 2, "one");
  virtio_queue_disable(f->device, LOOPBACK_QUEUES);
  virtio_queue_disable(f->device, 0);
  g_assert_cmpint(f->loopback->stops, ==, 1);
  g_assert_cmpint(f->loopback->starts, ==, 2);
  g_assert_false(virtio_queue(f->device, 0)->config.ready);
  g_assert_true(virtio_queue(f->device, 1)->event_idx);
  virtio_queue_disable(f->device, 0); /* is so already */
  g_assert_cmpint(f->loopback->stops, ==, 1);
  fake_offer_text(&f->driver[0], 2, "gone");
  virtio_ring_doorbell(f->device, 0);
  echo(f, 1, 4, "goes on where it was");
  g_assert_cmpuint(fake_used_idx(&f->driver[0]), ==, 1);
}

static void test_config(Fixture *f, gconstpointer data) {
  uint8_t bytes[16];

  memcpy(f->loopback->config, "abcdefghijkl", LOOPBACK_CONFIG_SIZE);
  virtio_config_read(f->device, 0, bytes, 8);
  g_assert_cmpmem(bytes, 8, "abcdefgh", 8);
  virtio_config_read(f->device, 8, bytes, 8); /* half beyond */
  g_assert_cmpmem(bytes, 8, "ijkl\0\0\0\0", 8);
  virtio_config_read(f->device, 12, bytes, 4);
  g_assert_cmpmem(bytes, 4, "\0\0\0\0", 4);
  virtio_config_read(f->device, UINT64_MAX, bytes, 4);
  g_assert_cmpmem(bytes, 4, "\0\0\0\0", 4);
  virtio_config_write(f->device, 4, "EFGH", 4);
  virtio_config_write(f->device, 11, "LM", 2); /* not wholly inside */
  virtio_config_write(f->device, 12, "M", 1);
  virtio_config_write(f->device, UINT64_MAX - 1, "MNOP", 4);
  g_assert_cmpmem(f->loopback->config, 12, "abcdEFGHijkl", 12);
}

static void test_config_changed(Fixture *f, gconstpointer data) {
  int generation = f->device->config_generation;

  virtio_config_changed(f->device);
  g_assert_cmpint(f->device->config_generation, ==, generation + 2);
  g_assert_cmpint(f->config_interrupts, ==, 0); /* there is no driver yet */
  go_live(f, 0);
  virtio_config_changed(f->device);
  g_assert_cmpint(f->device->config_generation, ==, generation + 4);
  g_assert_cmpint(f->config_interrupts, ==, 1);
}

/* A thousand chains on two queues with EVENT_IDX: none is lost, and the device is not woken for each. */
static void test_traffic(Fixture *f, gconstpointer data) {
  go_live(f, (uint32_t)VIRTIO_F_EVENT_IDX);
  for (unsigned i = 0; i < 1000; i++) {
    FakeQueue *driver = &f->driver[i & 1];
    fake_set_used_event(driver, fake_used_idx(driver));
    fake_offer_text(driver, (uint16_t)(2 * (i % 4)), "traffic");
    virtio_ring_doorbell(f->device, i & 1);
    WAIT_FOR(fake_used_idx(driver) == driver->avail_idx);
  }
  WAIT_FOR(__atomic_load_n(&f->loopback->chains, __ATOMIC_SEQ_CST) == 1000);
  WAIT_FOR(__atomic_load_n(&f->queue_interrupts[0], __ATOMIC_SEQ_CST) + __atomic_load_n(&f->queue_interrupts[1], __ATOMIC_SEQ_CST) == 1000);
}

static void test_life(void) {
  FakeGuest guest;
  int freed = 0;

  fake_guest_init(&guest);
  virtio_device_free(NULL);
  Loopback *loopback = loopback_new(&guest.memory);
  loopback->freed = &freed;
  virtio_device_free(&loopback->base); /* never connected */
  g_assert_cmpint(freed, ==, 1);

  loopback = loopback_new(&guest.memory);
  loopback->freed = &freed;
  virtio_set_driver_features(&loopback->base, 1, VERSION_1_WORD);
  virtio_set_status(&loopback->base, LIVE);
  virtio_device_free(&loopback->base); /* stops first: the type's free checks it */
  g_assert_cmpint(freed, ==, 2);
  fake_guest_clear(&guest);
}

/* A queue that is served elsewhere: checked, started and stopped here, but neither served nor waited for. */
static void test_elsewhere(Fixture *f, gconstpointer data) {
  uint64_t rings = 0;

  g_assert_true(virtio_serve_elsewhere(f->device, 1, NULL));
  g_assert_cmpint(virtio_call_fd(f->device, 0), ==, -1);
  g_assert_cmpint(virtio_call_fd(f->device, 1), >=, 0);
  go_live(f, 0);
  g_assert_true(f->device->queues[1].running);
  echo(f, 0, 0, "served here");
  fake_offer_text(&f->driver[1], 0, "served there");
  virtio_ring_doorbell(f->device, 1);
  fake_settle(f->device);
  g_assert_cmpint(f->loopback->notifies[1], ==, 0);
  g_assert_cmpint(read(f->device->doorbell_fds[1], &rings, sizeof rings), ==, sizeof rings); /* still there for who waits */

  fake_call(f->device, 1);
  WAIT_FOR(__atomic_load_n(&f->queue_interrupts[1], __ATOMIC_SEQ_CST) == 1);

  /* Its stop says where it goes on; a call that came meanwhile is not lost. */
  virtio_taken_back(f->device, 1, 7);
  virtio_device_pause(f->device);
  g_assert_cmpuint(f->device->queues[1].next_avail, ==, 7);
  g_assert_cmpuint(f->device->queues[1].next_used, ==, 7);
  fake_call(f->device, 1);
  g_assert_cmpint(f->queue_interrupts[1], ==, 1);
  virtio_device_resume(f->device);
  WAIT_FOR(__atomic_load_n(&f->queue_interrupts[1], __ATOMIC_SEQ_CST) == 2);

  /* A wrong place is found before anybody else is handed it. */
  virtio_device_reset(f->device);
  fake_call(f->device, 1);
  virtio_device_reset(f->device);
  f->driver[1].device = RAM_BASE + RAM_SIZE;
  negotiate(f, 0);
  configure(f, 0);
  configure(f, 1);
  int starts = f->loopback->starts;
  virtio_set_status(f->device, LIVE);
  g_assert_cmphex(virtio_get_status(f->device), ==, LIVE | VIRTIO_STATUS_NEEDS_RESET);
  g_assert_cmpint(f->loopback->starts, ==, starts);
  g_assert_cmpint(f->queue_interrupts[1], ==, 2); /* what was from before the reset is gone with it */
}

/* A call between the last look and the stop: the interrupt comes all the same. */
static void test_elsewhere_last_call(Fixture *f, gconstpointer data) {
  g_assert_true(virtio_serve_elsewhere(f->device, 0, NULL));
  go_live(f, 0);
  for (int i = 1; i <= 100; i++) {
    fake_call(f->device, 0);
    virtio_device_pause(f->device);
    g_assert_cmpint(f->queue_interrupts[0], ==, i);
    virtio_device_resume(f->device);
  }
}

#define ADD(path, function) g_test_add("/virtio/" path, Fixture, NULL, set_up, function, tear_down)

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  ADD("watch", test_watch);
  ADD("features", test_features);
  ADD("features-refused", test_features_refused);
  ADD("features-fixed", test_features_fixed);
  ADD("status", test_status);
  ADD("service", test_service);
  ADD("one-queue", test_one_queue);
  ADD("configuration-fixed", test_configuration_fixed);
  ADD("needs-reset", test_needs_reset);
  ADD("bad-queue-configuration", test_bad_queue_configuration);
  ADD("failure-at-start", test_failure_at_start);
  ADD("pause", test_pause);
  ADD("pause-serves", test_pause_serves);
  ADD("pause-left-over", test_pause_left_over);
  ADD("reset-while-paused", test_reset_while_paused);
  ADD("paused-before-driver-ok", test_paused_before_driver_ok);
  ADD("reset", test_reset);
  ADD("queue-disable", test_queue_disable);
  ADD("config", test_config);
  ADD("config-changed", test_config_changed);
  ADD("traffic", test_traffic);
  ADD("elsewhere", test_elsewhere);
  ADD("elsewhere-last-call", test_elsewhere_last_call);
  g_test_add_func("/virtio/life", test_life);
  return g_test_run();
}
