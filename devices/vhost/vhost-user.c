/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The front end of vhost-user. QEMU: docs/interop/vhost-user.rst.
 *
 * Back ends differ in what they bear: some end on a request that they do not know. So nothing is sent that the protocol
 * features which were agreed on do not allow, and of those only what is used here is agreed on. What was said is known
 * to have arrived before anything relies on it: by REPLY_ACK, or, for the memory table, by a question behind it.
 *
 * Locks: none; see vhost.h.
 */
#include "devices/vhost/vhost-user.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devices/vhost/vhost-user-internal.h"

/* Virtio feature bits that are between front end and back end: "Feature negotiation", and VHOST_F_LOG_ALL. */
#define F_LOG_ALL           (UINT64_C(1) << 26)
#define F_PROTOCOL_FEATURES (UINT64_C(1) << 30)

enum { WATCH_MAIN, WATCH_BACKEND };

bool vhost_user_wrong(const VhostUser *user, const char *what, GError **error) {
  g_set_error(error, VHOST_USER_ERROR, VHOST_USER_ERROR_WRONG, "%s %s", user->base.name, what);
  return false;
}

/* Conversation. */

bool vhost_user_is_answer(const VhostUser *user, uint32_t request, const VhostUserMessage *message, uint32_t size, GError **error) {
  if (message->request == request && (message->flags & VHOST_USER_REPLY) && message->size == size)
    return true;
  g_set_error(error, VHOST_USER_ERROR, VHOST_USER_ERROR_WRONG, "%s answered %s wrongly (number %u, flags %#x, %u bytes)", user->base.name,
              vhost_user_request_name(request), message->request, message->flags, message->size);
  return false;
}

/* Sends MESSAGE and, if ANSWERED, receives what comes back into it, SIZE bytes. */
static bool exchange(VhostUser *user, VhostUserMessage *message, const int *fds, unsigned n_fds, bool answered, uint32_t size,
                     GError **error) {
  g_autoptr(GError) problem = NULL;
  uint32_t request = message->request;

  if (!vhost_user_send(&user->main, message, fds, n_fds, user->base.deadline, error))
    return false;
  if (!answered)
    return true;
  if (!vhost_user_receive(&user->main, message, user->base.deadline, &problem)) {
    g_set_error(error, problem->domain, problem->code, "%s (%s)", problem->message, vhost_user_request_name(request));
    return false;
  }
  return vhost_user_is_answer(user, request, message, size, error);
}

static bool ask(VhostUser *user, VhostUserMessage *message, uint32_t size, GError **error) {
  message->flags = VHOST_USER_VERSION;
  return exchange(user, message, NULL, 0, true, size, error);
}

/* What has no answer but, where that was agreed on, one that says whether it was done. */
bool vhost_user_tell(VhostUser *user, VhostUserMessage *message, const int *fds, unsigned n_fds, GError **error) {
  bool acknowledged = user->protocol & PROTOCOL_REPLY_ACK;
  uint32_t request = message->request;

  message->flags = VHOST_USER_VERSION | (acknowledged ? VHOST_USER_NEED_REPLY : 0);
  if (!exchange(user, message, fds, n_fds, acknowledged, sizeof message->number, error))
    return false;
  if (!acknowledged || message->number == 0)
    return true;
  g_set_error(error, VHOST_USER_ERROR, VHOST_USER_ERROR_REFUSED, "%s refused %s", user->base.name, vhost_user_request_name(request));
  return false;
}

static bool ask_number(VhostUser *user, VhostUserRequest request, uint64_t *number, GError **error) {
  VhostUserMessage message = {.request = request};
  bool answered = ask(user, &message, sizeof message.number, error);

  *number = message.number;
  return answered;
}

static bool tell_number(VhostUser *user, VhostUserRequest request, uint64_t number, GError **error) {
  VhostUserMessage message = {.request = request, .size = sizeof number, .number = number};

  return vhost_user_tell(user, &message, NULL, 0, error);
}

static bool tell_state(VhostUser *user, VhostUserRequest request, unsigned index, uint32_t num, GError **error) {
  VhostUserMessage message = {.request = request, .size = sizeof message.state, .state = {index, num}};

  return vhost_user_tell(user, &message, NULL, 0, error);
}

static bool tell_fd(VhostUser *user, VhostUserRequest request, uint64_t number, uint32_t size, int fd, GError **error) {
  VhostUserMessage message = {.request = request, .size = size, .number = number};

  return vhost_user_tell(user, &message, &fd, 1, error);
}

/* Connection. */

static void close_channel(VhostUserChannel *channel) {
  if (channel->fd >= 0)
    close(channel->fd);
  channel->fd = -1;
}

static void disconnect(Vhost *base) {
  VhostUser *user = (VhostUser *)base;

  close_channel(&user->main);
  close_channel(&user->backend);
  base->watch_fds[WATCH_MAIN] = base->watch_fds[WATCH_BACKEND] = -1;
  base->connected = base->config_news = false;
  user->protocol = 0;
}

/* The way by which it may say something on its own. Its end blocks, as that of any socket which one is given. */
static bool open_backend(VhostUser *user, GError **error) {
  int ends[2];

  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
    g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(errno), "%s cannot be given a channel: %s", user->base.name,
                g_strerror(errno));
    return false;
  }
  user->backend.fd = ends[0];
  bool told = tell_fd(user, VHOST_USER_SET_BACKEND_REQ_FD, 0, 0, ends[1], error);
  close(ends[1]);
  return told;
}

/* In the order that all back ends bear. */
static bool introduce(VhostUser *user, GError **error) {
  Vhost *base = &user->base;
  VhostUserMessage owner = {.request = VHOST_USER_SET_OWNER};
  uint64_t wanted = PROTOCOL_MQ | PROTOCOL_REPLY_ACK | PROTOCOL_RESET_DEVICE | PROTOCOL_INFLIGHT, offered = 0, queues = 0;

  if (user->wants_config)
    wanted |= PROTOCOL_CONFIG | PROTOCOL_BACKEND_REQ;
  if (!vhost_user_tell(user, &owner, NULL, 0, error) || !ask_number(user, VHOST_USER_GET_FEATURES, &user->all_features, error))
    return false;
  if (user->all_features & F_PROTOCOL_FEATURES) {
    if (!ask_number(user, VHOST_USER_GET_PROTOCOL_FEATURES, &offered, error) ||
        !tell_number(user, VHOST_USER_SET_PROTOCOL_FEATURES, offered & wanted, error))
      return false;
    user->protocol = offered & wanted;
  }
  if ((user->protocol & PROTOCOL_MQ) && !ask_number(user, VHOST_USER_GET_QUEUE_NUM, &queues, error))
    return false;
  base->features = user->all_features & ~(F_PROTOCOL_FEATURES | F_LOG_ALL);
  base->max_queues = (unsigned)MIN(queues, UINT8_MAX); /* a ring's number has 8 bits in SET_VRING_KICK */
  base->has_config = user->protocol & PROTOCOL_CONFIG;
  /* What it would say that way is that the configuration has changed. */
  return !base->has_config || !(user->protocol & PROTOCOL_BACKEND_REQ) || open_backend(user, error);
}

static bool connect_user(Vhost *base, GError **error) {
  VhostUser *user = (VhostUser *)base;

  if (base->connected)
    return true;
  user->main.fd = user->open(user->opaque, error);
  if (user->main.fd < 0)
    return false;
  if (user->call_for_next)
    base->deadline = g_get_monotonic_time() + VHOST_USER_STARTS_US;
  if (!introduce(user, error)) {
    disconnect(base);
    return false;
  }
  base->connected = true;
  base->watch_fds[WATCH_MAIN] = user->main.fd;
  base->watch_fds[WATCH_BACKEND] = user->backend.fd;
  return true;
}

static bool reset(Vhost *base, GError **error) {
  VhostUser *user = (VhostUser *)base;
  VhostUserMessage message = {.request = VHOST_USER_RESET_DEVICE};

  return !(user->protocol & PROTOCOL_RESET_DEVICE) || vhost_user_tell(user, &message, NULL, 0, error);
}

/* Set-up. */

static bool set_features(Vhost *base, uint64_t features, GError **error) {
  VhostUser *user = (VhostUser *)base;

  return tell_number(user, VHOST_USER_SET_FEATURES, features | (user->all_features & F_PROTOCOL_FEATURES), error);
}

static bool set_memory(Vhost *base, const GuestMemory *memory, GError **error) {
  VhostUser *user = (VhostUser *)base;
  VhostUserMessage message = {.request = VHOST_USER_SET_MEM_TABLE};
  int fds[VHOST_USER_REGIONS_MAX];
  unsigned n = 0;
  uint64_t ignored;

  G_STATIC_ASSERT(GUEST_MEMORY_MAX_REGIONS <= VHOST_USER_REGIONS_MAX);
  for (unsigned i = 0; i < memory->n_regions; i++) {
    const GuestMemoryRegion *region = &memory->regions[i];
    if (region->fd < 0)
      continue;
    fds[n] = region->fd;
    message.memory.regions[n++] = (VhostUserRegion){region->base, region->size, (uintptr_t)region->host, region->fd_offset};
  }
  if (n == 0)
    return vhost_user_wrong(user, "needs guest memory that is shared, and there is none", error);
  message.memory.n_regions = user->n_shared = n;
  memcpy(user->shared, message.memory.regions, sizeof user->shared);
  message.size = (uint32_t)(offsetof(VhostUserMemory, regions) + n * sizeof(VhostUserRegion));
  if (!vhost_user_tell(user, &message, fds, n, error))
    return false;
  /* Requests are taken in order: what is answered later comes after the table was read. */
  return (user->protocol & PROTOCOL_REPLY_ACK) || ask_number(user, VHOST_USER_GET_FEATURES, &ignored, error);
}

/* Whether it was told of the memory that ADDRESS is in; some end when they look for what they were not told of. */
static bool is_shared(const VhostUser *user, const void *address) {
  for (unsigned i = 0; i < user->n_shared; i++)
    if ((uintptr_t)address - user->shared[i].user_address < user->shared[i].size)
      return true;
  return false;
}

static bool start_vring(Vhost *base, unsigned index, const VhostVring *vring, GError **error) {
  VhostUser *user = (VhostUser *)base;
  VhostUserMessage address = {
      .request = VHOST_USER_SET_VRING_ADDR,
      .size = sizeof address.address,
      .address =
          {
              .index = index,
              .descriptors = (uintptr_t)vring->descriptors,
              .used = (uintptr_t)vring->device,
              .available = (uintptr_t)vring->driver,
          },
  };

  if (!is_shared(user, vring->descriptors) || !is_shared(user, vring->driver) || !is_shared(user, vring->device))
    return vhost_user_wrong(user, "was given a ring in memory that it does not share", error);
  return tell_state(user, VHOST_USER_SET_VRING_NUM, index, vring->size, error) &&
         tell_state(user, VHOST_USER_SET_VRING_BASE, index, vring->base, error) && vhost_user_tell(user, &address, NULL, 0, error) &&
         tell_fd(user, VHOST_USER_SET_VRING_CALL, index, sizeof(uint64_t), vring->call, error) &&
         tell_fd(user, VHOST_USER_SET_VRING_KICK, index, sizeof(uint64_t), vring->kick, error) &&
         (!(user->all_features & F_PROTOCOL_FEATURES) || tell_state(user, VHOST_USER_SET_VRING_ENABLE, index, 1, error));
}

static bool stop_vring(Vhost *base, unsigned index, uint16_t *next, GError **error) {
  VhostUser *user = (VhostUser *)base;
  VhostUserMessage message = {.request = VHOST_USER_GET_VRING_BASE, .size = sizeof message.state, .state = {index, 0}};

  if (!ask(user, &message, sizeof message.state, error))
    return false;
  if (message.state.index != index || message.state.num > UINT16_MAX)
    return vhost_user_wrong(user, "says of a ring that it goes on where no ring can", error);
  *next = (uint16_t)message.state.num;
  return true;
}

/* Configuration. */

static bool get_config(Vhost *base, void *to, unsigned size, GError **error) {
  VhostUser *user = (VhostUser *)base;
  VhostUserMessage message = {
      .request = VHOST_USER_GET_CONFIG, .size = VHOST_USER_CONFIG_HEADER + size, .config = {.offset = 0, .size = size}};

  g_assert(size <= VHOST_USER_CONFIG_MAX);
  if (!ask(user, &message, VHOST_USER_CONFIG_HEADER + size, error))
    return false;
  if (message.config.offset != 0 || message.config.size != size)
    return vhost_user_wrong(user, "answered GET_CONFIG with another part of the configuration", error);
  memcpy(to, message.config.bytes, size);
  return true;
}

static bool set_config(Vhost *base, unsigned offset, const void *from, unsigned size, GError **error) {
  VhostUser *user = (VhostUser *)base;
  VhostUserMessage message = {
      .request = VHOST_USER_SET_CONFIG, .size = VHOST_USER_CONFIG_HEADER + size, .config = {.offset = offset, .size = size}};

  g_assert(size <= VHOST_USER_CONFIG_MAX);
  memcpy(message.config.bytes, from, size);
  return vhost_user_tell(user, &message, NULL, 0, error);
}

/* What comes unasked. */

/* There is nothing that it may say on the main channel but by ending it. */
static bool check_main(const VhostUser *user, GError **error) {
  uint8_t byte;
  ssize_t got = recv(user->main.fd, &byte, sizeof byte, MSG_PEEK | MSG_DONTWAIT);

  if (got < 0 && (errno == EAGAIN || errno == EINTR))
    return true;
  if (got > 0)
    return vhost_user_wrong(user, "sent a message that nobody asked for", error);
  g_set_error(error, VHOST_USER_ERROR, VHOST_USER_ERROR_GONE, "%s has closed its connection", user->base.name);
  return false;
}

static bool is_readable(int fd) {
  struct pollfd wanted = {.fd = fd, .events = POLLIN};

  return fd >= 0 && poll(&wanted, 1, 0) > 0;
}

/* One message; a channel that was closed is none any more. */
static bool take_backend(VhostUser *user, bool *config_changed, GError **error) {
  VhostUserMessage message;
  g_autoptr(GError) problem = NULL;
  bool known;

  if (!vhost_user_receive(&user->backend, &message, user->base.deadline, &problem)) {
    if (!g_error_matches(problem, VHOST_USER_ERROR, VHOST_USER_ERROR_GONE)) {
      g_propagate_error(error, g_steal_pointer(&problem));
      return false;
    }
    close_channel(&user->backend);
    user->base.watch_fds[WATCH_BACKEND] = -1;
    return true;
  }
  known = message.request == VHOST_USER_BACKEND_CONFIG_CHANGE_MSG;
  *config_changed |= known;
  if (!(message.flags & VHOST_USER_NEED_REPLY) || !(user->protocol & PROTOCOL_REPLY_ACK))
    return true;
  message.flags = VHOST_USER_VERSION | VHOST_USER_REPLY;
  message.size = sizeof message.number;
  message.number = !known;
  return vhost_user_send(&user->backend, &message, NULL, 0, user->base.deadline, error);
}

/* While it is asked for something: user->main.beside. */
static bool hear_beside(void *opaque, GError **error) {
  VhostUser *user = opaque;

  return take_backend(user, &user->base.config_news, error);
}

static bool handle(Vhost *base, bool *config_changed, GError **error) {
  VhostUser *user = (VhostUser *)base;

  *config_changed = base->config_news;
  base->config_news = false;
  return check_main(user, error) && (!is_readable(user->backend.fd) || take_backend(user, config_changed, error));
}

/* Nobody can be connected to, the connection has ended, or there is no answer on it. */
static bool is_away(const GError *error) {
  return error->domain == G_FILE_ERROR || g_error_matches(error, VHOST_USER_ERROR, VHOST_USER_ERROR_GONE) ||
         g_error_matches(error, VHOST_USER_ERROR, VHOST_USER_ERROR_SLOW);
}

/* Life. */

static void user_free(Vhost *base) {
  VhostUser *user = (VhostUser *)base;

  disconnect(base);
  vhost_user_forget_inflight(user);
  if (user->free_opaque)
    user->free_opaque(user->opaque);
  g_free(base->name);
  g_free(user);
}

static const VhostOps user_ops = {
    .connect = connect_user,
    .disconnect = disconnect,
    .reset = reset,
    .renew = vhost_user_renew,
    .set_features = set_features,
    .set_inflight = vhost_user_set_inflight,
    .set_memory = set_memory,
    .start_vring = start_vring,
    .stop_vring = stop_vring,
    .get_config = get_config,
    .set_config = set_config,
    .handle = handle,
    .is_away = is_away,
    .free = user_free,
};

Vhost *vhost_user_new_with(const char *name, bool config, VhostUserOpen open, void *opaque, void (*free_opaque)(void *opaque)) {
  VhostUser *user = g_new0(VhostUser, 1);

  user->base = (Vhost){.ops = &user_ops, .name = g_strdup(name), .away_us = VHOST_AWAY_US, .watch_fds = {-1, -1}};
  user->inflight_fd = -1;
  user->wants_config = config;
  user->open = open;
  user->opaque = opaque;
  user->free_opaque = free_opaque;
  user->main = user->backend = (VhostUserChannel){.fd = -1, .peer = user->base.name};
  user->main.beside_fd = &user->backend.fd;
  user->main.beside = hear_beside;
  user->main.opaque = user;
  return &user->base;
}
