/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A virtio device that another process is; see vhost-user.h. QEMU: docs/interop/vhost-user.rst.
 *
 * The guest reads a copy of the configuration, which is taken whenever the back end is connected, when it says that
 * there is a new one, and after a write, which some devices answer with another configuration (virtio-input, 5.8.5). So
 * no read waits for anybody.
 *
 * Locks: config_lock guards the copy. Everything else is the I/O thread's once the device is connected.
 */
#include "devices/virtio/vhost-user.h"

#include <string.h>

#include "devices/printable.h"
#include "devices/vhost/vhost-user.h"
#include "devices/virtio/vhost-queues.h"

#define QUEUE_SIZE VIRTQUEUE_MAX_SIZE

typedef struct {
  VirtioDevice base; /* first */
  VirtioDeviceOps ops;
  Vhost *vhost; /* of queues */
  VhostQueues *queues;
  GMutex config_lock;
  uint8_t *config; /* ops.config_size bytes */
  bool told;       /* the back end says that there is another, which the driver was not told yet */
  VhostUserType type;
  uint8_t settings[VHOST_USER_SETTINGS_MAX]; /* I/O thread: of the configuration, what the driver has set since its reset */
  bool set[VHOST_USER_SETTINGS_MAX];
} VhostUserDevice;

/* Configuration. */

/* Whether it has said, meanwhile, that there is another configuration. */
static bool take_news(VhostUserDevice *user) {
  bool news = user->vhost->config_news;

  user->told |= news;
  user->vhost->config_news = false;
  return news;
}

/* On the I/O thread, or before there is one. *CHANGED: it is another one. */
static bool fetch_config(VhostUserDevice *user, bool *changed, GError **error) {
  unsigned size = user->ops.config_size;
  g_autofree uint8_t *fresh = g_malloc0(size + 1);

  *changed = false;
  if (size == 0 || !user->vhost->has_config)
    return true;
  take_news(user);
  if (!user->vhost->ops->get_config(user->vhost, fresh, size, error))
    return false;
  /* Once more, and not for ever: one that says so at each question is left with what it answers. */
  if (take_news(user) && !user->vhost->ops->get_config(user->vhost, fresh, size, error))
    return false;
  take_news(user);
  g_mutex_lock(&user->config_lock);
  *changed = memcmp(user->config, fresh, size) != 0;
  memcpy(user->config, fresh, size);
  g_mutex_unlock(&user->config_lock);
  return true;
}

static void tell_driver(VhostUserDevice *user, bool changed) {
  if (changed || user->told)
    virtio_config_changed(&user->base);
  user->told = false;
}

/* A back end that has come back with the same configuration is no news to the driver. */
static void config_changed(VirtioDevice *device, bool told) {
  VhostUserDevice *user = (VhostUserDevice *)device;
  g_autoptr(GError) error = NULL;
  bool changed;

  if (!fetch_config(user, &changed, &error))
    vhost_queues_lost(user->queues, error);
  else
    tell_driver(user, told || changed);
}

static void config_read(VirtioDevice *device, unsigned offset, void *to, unsigned size) {
  VhostUserDevice *user = (VhostUserDevice *)device;

  g_mutex_lock(&user->config_lock);
  memcpy(to, user->config + offset, size);
  g_mutex_unlock(&user->config_lock);
}

typedef struct {
  VhostUserDevice *user;
  unsigned offset, size;
  const void *from;
} ConfigWrite;

/* What a driver sets there and then relies on; other bytes act when they are written, and are over. */
static void remember(const ConfigWrite *write) {
  VhostUserDevice *user = write->user;

  for (unsigned i = 0; i < user->type.n_settings; i++) {
    unsigned at = user->type.settings + i;
    if (at < write->offset || at - write->offset >= write->size)
      continue;
    user->settings[i] = ((const uint8_t *)write->from)[at - write->offset];
    user->set[i] = true;
  }
}

/* While nobody is there, what the driver has set is what it reads. */
static void show_settings(VhostUserDevice *user) {
  g_mutex_lock(&user->config_lock);
  for (unsigned i = 0; i < user->type.n_settings; i++)
    if (user->set[i])
      user->config[user->type.settings + i] = user->settings[i];
  g_mutex_unlock(&user->config_lock);
}

/* One that comes in another's place knows nothing of what the driver has told that one, or told nobody. */
static bool tell_settings(VirtioDevice *device, GError **error) {
  VhostUserDevice *user = (VhostUserDevice *)device;
  Vhost *vhost = user->vhost;

  for (unsigned i = 0; i < user->type.n_settings && vhost->has_config; i++)
    if (user->set[i] && !vhost->ops->set_config(vhost, user->type.settings + i, &user->settings[i], 1, error))
      return false;
  return true;
}

static void write_config(void *opaque) {
  const ConfigWrite *write = opaque;
  VhostUserDevice *user = write->user;
  Vhost *vhost = user->vhost;
  g_autoptr(GError) error = NULL;
  bool changed;

  remember(write);
  if (!vhost->connected || !vhost->has_config) {
    show_settings(user);
    return;
  }
  vhost_begin(vhost);
  if (!vhost->ops->set_config(vhost, write->offset, write->from, write->size, &error) || !fetch_config(user, &changed, &error)) {
    show_settings(user);
    vhost_queues_lost(user->queues, error);
  } else {
    tell_driver(user, false); /* what follows from its own write is none of its news */
  }
}

/* The driver may go on once it was said, and what is read then is what follows from it. */
static void config_write(VirtioDevice *device, unsigned offset, const void *from, unsigned size) {
  ConfigWrite write = {.user = (VhostUserDevice *)device, .offset = offset, .size = size, .from = from};

  if (io_thread_start(device->io, device->threads, NULL))
    io_thread_call(device->io, write_config, &write);
}

/* Service. */

static void start(VirtioDevice *device) {
  vhost_queues_start(((VhostUserDevice *)device)->queues);
}

/* All queues are served elsewhere. */
static void notify(VirtioDevice *device, unsigned queue) {
}

static void stop(VirtioDevice *device) {
  vhost_queues_stop(((VhostUserDevice *)device)->queues);
}

static void reset(VirtioDevice *device) {
  VhostUserDevice *user = (VhostUserDevice *)device;

  memset(user->set, 0, sizeof user->set);
  vhost_queues_reset(user->queues);
}

/* Life. */

static void user_free(VirtioDevice *device) {
  VhostUserDevice *user = (VhostUserDevice *)device;

  vhost_queues_free(user->queues);
  virtio_device_clear(device);
  g_mutex_clear(&user->config_lock);
  g_free(user->config);
  g_free(user);
}

static const VirtioDeviceOps user_ops = {
    .config_read = config_read,
    .config_write = config_write,
    .start = start,
    .notify = notify,
    .stop = stop,
    .reset = reset,
    .free = user_free,
};

static VhostUserDevice *new_of(unsigned type) {
  VhostUserDevice *user = g_new0(VhostUserDevice, 1);

  g_mutex_init(&user->config_lock);
  user->type = vhost_user_type(type);
  user->ops = user_ops;
  user->ops.id = (VirtioId)type;
  user->ops.name = "vhost-user";
  return user;
}

static bool init(VhostUserDevice *user, const char *name, const GuestMemory *memory, uint64_t features, unsigned n, GError **error) {
  uint16_t sizes[VHOST_USER_QUEUES_MAX];

  for (unsigned i = 0; i < n; i++)
    sizes[i] = QUEUE_SIZE;
  return virtio_device_init(&user->base, &user->ops, name, memory, features, n, sizes, error);
}

/*
 * The first copy. One that does not answer so much as was guessed has none to be known. A type that has a configuration
 * has it for the driver in any case (4.1.4.6.1; Linux's virtio-net takes no card without): zeros where nobody gives it.
 */
static bool first_config(VhostUserDevice *user, const VhostUserDevicePlan *plan, GError **error) {
  const VhostUserType *type = &user->type;
  Vhost *vhost = user->vhost;
  g_autoptr(GError) problem = NULL;
  bool changed;

  if (plan->config_size) {
    g_assert(!vhost->has_config);
    user->ops.config_size = plan->config_size;
    user->config = g_memdup2(plan->config, plan->config_size);
    return true;
  }
  if (type->needs && !vhost->has_config) {
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "%s tells no configuration, from which a device of type %s has %s", vhost->name,
                type->name, type->needs);
    return false;
  }
  user->ops.config_size = vhost->has_config || !type->guessed ? type->config_size : 0;
  user->config = g_malloc0(user->ops.config_size + 1);
  if (fetch_config(user, &changed, &problem))
    return true;
  if (!type->guessed) {
    g_propagate_error(error, g_steal_pointer(&problem));
    return false;
  }
  user->ops.config_size = 0;
  vhost->ops->disconnect(vhost);
  vhost_begin(vhost);
  return vhost->ops->connect(vhost, error);
}

/* How many queues it is to have; 0: an error. */
static unsigned choose_queues(const Vhost *vhost, const VhostUserType *type, unsigned asked, GError **error) {
  if (asked && vhost->max_queues && asked > vhost->max_queues) {
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "%s has %u queues, not %u", vhost->name, vhost->max_queues, asked);
    return 0;
  }
  return asked ? asked : MIN(MAX(type->queues, vhost->max_queues), VHOST_USER_QUEUES_MAX);
}

static uint64_t choose_features(const Vhost *vhost, const VhostUserType *type, const VhostUserDevicePlan *plan) {
  uint64_t features = vhost_queues_features(vhost) & ~type->never & ~plan->never;

  return features & type->reading ? features & ~type->writing : features;
}

/* Connects it, and makes the device of what it says. */
static bool make(VhostUserDevice *user, Vhost *take_vhost, const char *name, const GuestMemory *memory, const VhostUserDevicePlan *plan,
                 GError **error) {
  g_autoptr(Vhost) vhost = take_vhost;

  vhost_begin(vhost);
  if (!vhost->ops->connect(vhost, error))
    return false;
  if (!(vhost->features & VIRTIO_F_VERSION_1)) {
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_INVAL, "%s is none of virtio 1.0 or later, which eret needs", vhost->name);
    return false;
  }
  unsigned n = choose_queues(vhost, &user->type, plan->queues, error);
  if (n == 0)
    return false;
  user->vhost = vhost;
  uint64_t features = choose_features(vhost, &user->type, plan);
  if (!first_config(user, plan, error) || !init(user, name, memory, features, n, error))
    return false;
  user->base.offered_features = features; /* and not all that the core could do */
  user->queues = vhost_queues_new(&user->base, g_steal_pointer(&vhost), 0, n, error);
  if (user->queues)
    vhost_queues_on_config(user->queues, config_changed, tell_settings);
  return user->queues != NULL;
}

VirtioDevice *virtio_vhost_user_new_of(const char *name, const GuestMemory *memory, Vhost *take_vhost, const VhostUserDevicePlan *plan,
                                       GError **error) {
  VhostUserDevice *user = new_of(plan->type);

  g_assert(plan->queues <= VHOST_USER_QUEUES_MAX);
  if (make(user, take_vhost, name, memory, plan, error))
    return &user->base;
  user_free(&user->base);
  return NULL;
}

VirtioDevice *virtio_vhost_user_new(const char *name, const GuestMemory *memory, const char *path, unsigned type, unsigned queues,
                                    GError **error) {
  const VhostUserDevicePlan plan = {.type = type, .queues = queues};

  return virtio_vhost_user_new_of(name, memory, vhost_user_new(path, vhost_user_type(type).config_size > 0), &plan, error);
}

VirtioDevice *virtio_vhost_user_new_planned(const char *name, const GuestMemory *memory, const VhostUserDevicePlan *plan, GError **error) {
  VhostUserDevice *user = new_of(plan->type);

  if (init(user, name, memory, 0, plan->queues ? plan->queues : user->type.queues, error))
    return &user->base;
  user_free(&user->base);
  return NULL;
}

static VirtioDevice *kind_make(const DeviceParts *parts, GError **error) {
  const VhostUserDeviceConfig *asked = parts->asked;
  const VhostUserDevicePlan plan = {.type = vhost_user_type_id(asked->type), .queues = asked->queues};

  if (parts->plan_only)
    return virtio_vhost_user_new_planned(parts->name, parts->memory, &plan, error);
  return virtio_vhost_user_new(parts->name, parts->memory, asked->path, plan.type, plan.queues, error);
}

static char *kind_print_asked(const void *opaque) {
  const VhostUserDeviceConfig *asked = opaque;
  g_autofree char *path = printable_line_escaped(asked->path, -1);

  return g_strdup_printf("%s at %s", asked->type, path);
}

static DeviceBoot kind_boot(const void *opaque) {
  const VhostUserDeviceConfig *asked = opaque;
  VhostUserType type = vhost_user_type(asked->type ? vhost_user_type_id(asked->type) : 0);

  return (DeviceBoot){asked->boot_index, type.boot_function, type.boot_unit};
}

const DeviceKind virtio_vhost_user_kind = {
    .name = "vhost-user",
    .print_asked = kind_print_asked,
    .boot = kind_boot,
    .make_virtio = kind_make,
    .shares_memory = true,
    .descriptors = VHOST_USER_DESCRIPTORS(VHOST_USER_QUEUES_MAX),
};
