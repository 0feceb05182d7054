/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs are started and ended on the main thread. Lock: what the device's threads see too is below `lock`.
 */
#include "vmm/helpers/kept-helper.h"

#include <sys/eventfd.h>
#include <unistd.h>

#define BETWEEN_STARTS_US G_USEC_PER_SEC

typedef struct {
  Helper base;
  KeptHelperConfig config;
  char *device;
  HelperProcess *process; /* NULL: it has ended */
  gint64 started;         /* monotonic time */

  GMutex lock;
  int fd; /* a connection that was not taken; -1 */
  bool running;
  bool wanted;   /* the next is, once this one has ended */
  guint pending; /* the source that starts it; 0: none */
} KeptHelper;

static void ended(void *opaque, const char *how, bool well);

/* With the lock, or before anybody else knows of it. */
static void drop_connection(KeptHelper *kept) {
  eventfd_t ignored;

  if (kept->fd < 0)
    return;
  close(kept->fd);
  kept->fd = -1;
  eventfd_read(kept->base.event_fd, &ignored);
}

static bool start(KeptHelper *kept, bool first, GError **error) {
  int fd;

  kept->started = g_get_monotonic_time();
  kept->process = kept->config.start(kept->config.opaque, first, ended, kept, &fd, error);
  if (!kept->process)
    return false;
  g_mutex_lock(&kept->lock);
  kept->fd = fd;
  kept->running = true;
  eventfd_write(kept->base.event_fd, 1);
  g_mutex_unlock(&kept->lock);
  return true;
}

static gboolean start_next(gpointer data) {
  KeptHelper *kept = data;
  g_autoptr(GError) error = NULL;

  g_mutex_lock(&kept->lock);
  kept->pending = 0;
  g_mutex_unlock(&kept->lock);
  if (start(kept, false, &error))
    g_message("%s: %s was started again", kept->device, kept->base.name);
  else
    g_message("%s: %s; it is tried again when the guest resets its %s", kept->device, error->message, kept->config.what);
  return G_SOURCE_REMOVE;
}

/* With the lock. */
static void plan_next(KeptHelper *kept) {
  gint64 left = kept->started + BETWEEN_STARTS_US - g_get_monotonic_time();
  g_autoptr(GSource) source = g_timeout_source_new(left > 0 ? (guint)(left / 1000) + 1 : 0);

  kept->wanted = false;
  g_source_set_callback(source, start_next, kept, NULL);
  kept->pending = g_source_attach(source, NULL);
}

/* One that ends well because the device has given it up for another is nothing to speak of. */
static void say_end(const KeptHelper *kept, const char *how, bool well, bool wanted) {
  if (!wanted)
    g_message("%s: %s %s; %s until the guest resets its %s, or reboots", kept->device, kept->base.name, how, kept->config.lack,
              kept->config.what);
  else if (!well)
    g_message("%s: %s %s; another is started", kept->device, kept->base.name, how);
}

static void ended(void *opaque, const char *how, bool well) {
  KeptHelper *kept = opaque;

  g_mutex_lock(&kept->lock);
  bool wanted = kept->wanted;
  kept->running = false;
  drop_connection(kept);
  if (wanted)
    plan_next(kept);
  g_mutex_unlock(&kept->lock);
  say_end(kept, how, well, wanted);
  g_clear_pointer(&kept->process, helper_process_free);
}

/* The device's side. */

static int take(Helper *base) {
  KeptHelper *kept = (KeptHelper *)base;
  eventfd_t ignored;

  g_mutex_lock(&kept->lock);
  int fd = kept->fd;
  kept->fd = -1;
  if (fd >= 0)
    eventfd_read(base->event_fd, &ignored);
  g_mutex_unlock(&kept->lock);
  return fd;
}

static void renew(Helper *base) {
  KeptHelper *kept = (KeptHelper *)base;

  g_mutex_lock(&kept->lock);
  if (kept->running && kept->fd < 0)
    kept->wanted = true; /* it ends, as its connection has, and that is not known yet */
  else if (!kept->running && !kept->pending)
    plan_next(kept);
  g_mutex_unlock(&kept->lock);
}

/* Life. */

static void kept_free(Helper *base) {
  KeptHelper *kept = (KeptHelper *)base;

  g_clear_handle_id(&kept->pending, g_source_remove);
  drop_connection(kept);
  helper_process_free(kept->process);
  if (base->event_fd >= 0)
    close(base->event_fd);
  if (kept->config.free_opaque)
    kept->config.free_opaque(kept->config.opaque);
  g_mutex_clear(&kept->lock);
  g_free(kept->device);
  g_free(kept);
}

Helper *kept_helper_new(const KeptHelperConfig *config, GError **error) {
  static const HelperOps ops = {.take = take, .renew = renew, .free = kept_free};
  KeptHelper *kept = g_new0(KeptHelper, 1);
  g_autoptr(Helper) owned = &kept->base;

  *kept = (KeptHelper){
      .base = {.ops = &ops, .name = config->name, .event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)},
      .config = *config,
      .device = g_strdup(config->device),
      .fd = -1,
  };
  g_mutex_init(&kept->lock);
  if (kept->base.event_fd < 0) {
    g_set_error(error, HELPER_ERROR, HELPER_ERROR_START, "%s: cannot make an event descriptor", kept->device);
    return NULL;
  }
  if (!start(kept, true, error)) {
    g_prefix_error(error, "%s: ", kept->device);
    return NULL;
  }
  return g_steal_pointer(&owned);
}
