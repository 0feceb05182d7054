/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Queues that are served elsewhere; see vhost-queues.h. virtio 1.2, 2.7; Linux: include/uapi/linux/vhost.h; QEMU:
 * docs/interop/vhost-user.rst, "Starting and stopping rings".
 *
 * Rings are told from the snapshot that the core took and checked when it started them. What the other side is told of
 * features is what the guest took of those that it offered. Where the other side is lost, nobody knows which chains it
 * had: the device needs a reset, and at the next start a new connection is tried.
 *
 * Unless it wrote down what it had where the next one finds it ("Inflight I/O tracking" there). Then the guest need not
 * notice: for a while a new connection is tried again and again, and the rings go on behind the last chain that was
 * returned, which is what the used ring says. That the guest can write what it likes there is its own loss.
 *
 * Locks: none; see the header.
 */
#include "devices/virtio/vhost-queues.h"

#include <sys/eventfd.h>

#include "devices/log-limit.h"

#define AWAY_DELAY_MIN_MS 100
#define AWAY_DELAY_MAX_MS 2000
#define NS_PER_MS         UINT64_C(1000000)

/* virtio 1.2, chapter 6: bits of device types; what lies between is of rings and transports. */
#define TYPE_FEATURES (((UINT64_C(1) << 24) - 1) | UINT64_C(0x3fff) << 50)
#define RING_FEATURES (VIRTIO_F_INDIRECT_DESC | VIRTIO_F_EVENT_IDX | VIRTIO_F_VERSION_1)

struct VhostQueues {
  VirtioDevice *device;
  Vhost *vhost;
  unsigned first, n;
  uint64_t relied_on; /* what it offered when the guest was to be told */
  unsigned n_handed;  /* rings that may have been handed over: each in turn */
  bool used;          /* a driver is there, or was since the last reset */
  bool forget;        /* one was before */
  bool handed;        /* this driver's rings were, and what is in flight was not forgotten since */
  struct {
    IoTimer *timer;    /* of the next try, while another is waited for */
    gint64 since;      /* it has been there; by the monotonic clock */
    gint64 until;      /* another is waited for; 0: nobody was lost */
    unsigned delay_ms; /* before the next try */
    LogLimit said;
  } away;
  void (*config_changed)(VirtioDevice *device, bool told); /* NULL: nobody asks; and so is the next */
  bool (*tell_anew)(VirtioDevice *device, GError **error);
  IoSource *watches[VHOST_WATCH_FDS];
  int watched[VHOST_WATCH_FDS];
};

uint64_t vhost_queues_features(const Vhost *vhost) {
  return vhost->features & (TYPE_FEATURES | RING_FEATURES);
}

/* Listening to it. */

static void end_watches(VhostQueues *queues) {
  for (unsigned i = 0; i < VHOST_WATCH_FDS; i++)
    g_clear_pointer(&queues->watches[i], io_source_free);
}

static void wait_for_another(VhostQueues *queues, const GError *error);

static void fail(VhostQueues *queues, const GError *error) {
  queues->handed = false;
  virtio_fail(queues->device, error->message);
}

/* No more of it: who has failed with ERROR is lost. True: another may go on in its place. */
static bool let_go(VhostQueues *queues, const GError *error) {
  Vhost *vhost = queues->vhost;

  end_watches(queues);
  vhost->ops->disconnect(vhost);
  queues->n_handed = 0;
  return queues->handed && vhost->resumable && vhost->ops->is_away && vhost->ops->is_away(error);
}

void vhost_queues_lost(VhostQueues *queues, const GError *error) {
  if (let_go(queues, error))
    wait_for_another(queues, error);
  else
    fail(queues, error);
}

static void said_something(void *opaque);

static void watch(VhostQueues *queues) {
  for (unsigned i = 0; i < VHOST_WATCH_FDS; i++)
    if (queues->vhost->watch_fds[i] < 0)
      g_clear_pointer(&queues->watches[i], io_source_free);
    else if (!queues->watches[i])
      queues->watches[i] = io_thread_add_source(queues->device->io, queues->vhost->watch_fds[i], said_something, queues);
}

static void said_something(void *opaque) {
  VhostQueues *queues = opaque;
  Vhost *vhost = queues->vhost;
  g_autoptr(GError) error = NULL;
  bool config_changed;

  vhost_begin(vhost);
  if (!vhost->ops->handle(vhost, &config_changed, &error)) {
    vhost_queues_lost(queues, error);
    return;
  }
  watch(queues);
  if (config_changed && queues->config_changed)
    queues->config_changed(queues->device, true);
}

void vhost_queues_on_config(VhostQueues *queues, void (*changed)(VirtioDevice *device, bool told),
                            bool (*tell_anew)(VirtioDevice *device, GError **error)) {
  queues->config_changed = changed;
  queues->tell_anew = tell_anew;
}

/* Start and stop. */

static bool start_ring(VhostQueues *queues, unsigned ring, GError **error) {
  const VirtioDevice *device = queues->device;
  unsigned index = queues->first + ring;
  const VirtQueue *queue = &device->queues[index];
  VhostVring vring = {
      .size = queue->config.size,
      .base = queue->next_avail,
      .descriptors = queue->descriptors_host,
      .driver = queue->driver_host,
      .device = queue->device_host,
      .kick = device->doorbell_fds[index],
      .call = device->call_fds[index],
  };

  if (!queue->running)
    return true;
  if (!queues->vhost->ops->start_vring(queues->vhost, ring, &vring, error))
    return false;
  /* For what was there before, in one direction and, of a queue that goes on, in the other. */
  eventfd_write(vring.kick, 1);
  if (vring.base || queues->handed)
    eventfd_write(vring.call, 1);
  return true;
}

/* What a driver may choose at most. */
static uint16_t largest_ring(const VhostQueues *queues) {
  uint16_t size = 0;

  for (unsigned i = queues->first; i < queues->first + queues->n; i++)
    size = MAX(size, queues->device->queues[i].max_size);
  return size;
}

static bool prepare(VhostQueues *queues, GError **error) {
  Vhost *vhost = queues->vhost;
  const VhostOps *ops = vhost->ops;
  bool was_connected = vhost->connected;
  uint64_t features = queues->device->features & queues->relied_on;

  if (!ops->connect(vhost, error))
    return false;
  if (features & ~vhost->features) {
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL,
                "%s has come back without features that the driver was offered (%#" G_GINT64_MODIFIER "x)", vhost->name,
                features & ~vhost->features);
    return false;
  }
  if (was_connected && queues->forget && ops->reset && !ops->reset(vhost, error))
    return false;
  queues->forget = false;
  return ops->set_features(vhost, features, error) &&
         (!ops->set_inflight || ops->set_inflight(vhost, !queues->handed, queues->n, largest_ring(queues), error)) &&
         ops->set_memory(vhost, queues->device->queues[queues->first].memory, error) &&
         (was_connected || !queues->tell_anew || queues->tell_anew(queues->device, error));
}

static bool all_run(const VhostQueues *queues) {
  for (unsigned i = queues->first; i < queues->first + queues->n; i++)
    if (!queues->device->queues[i].running)
      return false;
  return true;
}

/*
 * Rings that run together do so when all are there: one that is not would be taken for what it was before, and its
 * memory is the driver's again (virtio 1.2, 4.2.2.1, QueueReady).
 */
static bool start(VhostQueues *queues, GError **error) {
  Vhost *vhost = queues->vhost;

  if (!prepare(queues, error))
    return false;
  for (queues->n_handed = 0; queues->n_handed < queues->n; queues->n_handed++)
    if (!start_ring(queues, queues->n_handed, error))
      return false;
  return !vhost->ops->run || !all_run(queues) || vhost->ops->run(vhost, true, error);
}

/* The rings are served from now on. */
static bool serve(VhostQueues *queues, GError **error) {
  bool was_connected = queues->vhost->connected;

  vhost_begin(queues->vhost);
  if (!start(queues, error))
    return false;
  queues->used = queues->handed = true;
  queues->away.since = g_get_monotonic_time();
  watch(queues);
  bool news = queues->vhost->config_news;
  if ((!was_connected || news) && queues->config_changed)
    queues->config_changed(queues->device, news);
  return true;
}

bool vhost_queues_start(VhostQueues *queues) {
  g_autoptr(GError) error = NULL;

  if (!serve(queues, &error))
    vhost_queues_lost(queues, error);
  return queues->vhost->connected || queues->away.timer;
}

/* While it is away. */

/* Each ring goes on behind the last chain that was returned. True: one has got on since it was started. */
static bool take_back(VhostQueues *queues) {
  bool any = false;

  for (unsigned i = queues->first; i < queues->first + queues->n; i++) {
    const VirtQueue *queue = &queues->device->queues[i];
    if (!queue->running)
      continue;
    /* virtio 1.2, 2.7.8: the used ring's idx is behind 16 bits of flags. */
    uint16_t used = GUINT16_FROM_LE(__atomic_load_n((const uint16_t *)queue->device_host + 1, __ATOMIC_ACQUIRE));
    any |= used != queue->next_used;
    virtio_taken_back(queues->device, i, used);
  }
  return any;
}

static void try_again(void *opaque);

static void set_timer(VhostQueues *queues) {
  if (!queues->away.timer)
    queues->away.timer = io_thread_add_timer(queues->device->io, try_again, queues);
  io_timer_set(queues->away.timer, queues->away.delay_ms * NS_PER_MS);
  queues->away.delay_ms = MIN(2 * queues->away.delay_ms, AWAY_DELAY_MAX_MS);
}

static void end_wait(VhostQueues *queues) {
  g_clear_pointer(&queues->away.timer, io_timer_free);
}

/* Who comes and goes without getting on has no more time for that than one who does not come. */
static void wait_for_another(VhostQueues *queues, const GError *error) {
  gint64 now = g_get_monotonic_time();
  bool got_on = take_back(queues);

  if (!queues->away.until || got_on || now - queues->away.since >= queues->vhost->away_us) {
    queues->away.until = now + queues->vhost->away_us;
    queues->away.delay_ms = AWAY_DELAY_MIN_MS;
  }
  set_timer(queues);
  g_autofree char *what = g_strdup_printf("%s; what the guest asks for waits until it is there again, for up to %d seconds", error->message,
                                          (int)(queues->vhost->away_us / G_USEC_PER_SEC));
  log_limit_say(&queues->away.said, queues->device->name, what);
}

/* Whatever is wrong with one that comes: there is time for a better one. */
static void try_again(void *opaque) {
  VhostQueues *queues = opaque;
  g_autoptr(GError) error = NULL;

  end_wait(queues);
  take_back(queues);
  if (serve(queues, &error)) {
    g_autofree char *what = g_strconcat(queues->vhost->name, " is there again, and goes on", NULL);
    if (queues->vhost->connected)
      log_limit_say(&queues->away.said, queues->device->name, what);
    return;
  }
  let_go(queues, error);
  if (g_get_monotonic_time() >= queues->away.until)
    fail(queues, error);
  else
    set_timer(queues);
}

static bool stop(VhostQueues *queues, GError **error) {
  Vhost *vhost = queues->vhost;

  if (queues->n_handed && vhost->ops->run && !vhost->ops->run(vhost, false, error))
    return false;
  for (unsigned i = 0; i < queues->n_handed; i++) {
    unsigned index = queues->first + i;
    uint16_t next;
    if (!queues->device->queues[index].running)
      continue;
    if (!vhost->ops->stop_vring(vhost, i, &next, error))
      return false;
    virtio_taken_back(queues->device, index, next);
  }
  return true;
}

void vhost_queues_stop(VhostQueues *queues) {
  g_autoptr(GError) error = NULL;

  end_watches(queues);
  end_wait(queues);
  queues->away.until = 0; /* a pause is none of its time */
  vhost_begin(queues->vhost);
  if (!stop(queues, &error)) {
    if (let_go(queues, error))
      take_back(queues); /* who comes after it is looked for at the next start */
    else
      fail(queues, error);
  }
  queues->n_handed = 0;
}

void vhost_queues_reset(VhostQueues *queues) {
  Vhost *vhost = queues->vhost;

  if (vhost->ops->renew)
    vhost->ops->renew(vhost, queues->used);
  queues->forget |= queues->used;
  queues->used = queues->handed = false;
}

/* Life. */

VhostQueues *vhost_queues_new(VirtioDevice *device, Vhost *vhost, unsigned first, unsigned n, GError **error) {
  VhostQueues *queues = g_new0(VhostQueues, 1);

  g_assert(first + n <= device->n_queues);
  *queues = (VhostQueues){.device = device, .vhost = vhost, .first = first, .n = n, .relied_on = vhost_queues_features(vhost)};
  for (unsigned i = first; i < first + n; i++)
    if (!virtio_serve_elsewhere(device, i, error)) {
      vhost_queues_free(queues);
      return NULL;
    }
  device->served_by = vhost->name;
  return queues;
}

void vhost_queues_free(VhostQueues *queues) {
  if (!queues)
    return;
  queues->device->served_by = NULL;
  vhost_free(queues->vhost);
  g_free(queues);
}
