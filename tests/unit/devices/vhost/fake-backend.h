/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The other side of vhost-user, for tests: a back end in a thread, which writes down what it is told, serves rings by
 * copying what it reads back (as fake-driver.h's loopback does), and misbehaves at one request as the test says.
 * Tests only.
 */
#pragma once

#include <glib.h>
#include <glib/gstdio.h>
#include <sys/eventfd.h>
#include <sys/mman.h>

#include "devices/virtio/virtqueue.h"
#include "tests/unit/devices/vhost/backend-messages.h"

#define FAKE_BACKEND_RINGS 4
#define FAKE_INFLIGHT_SIZE 4096 /* of the record, and where in its file it begins */
#define FAKE_INFLIGHT_MARK 'm'

#define FAKE_F_PROTOCOL (UINT64_C(1) << 30)
#define FAKE_F_LOG      (UINT64_C(1) << 26)
#define FAKE_FEATURES   (UINT64_C(1) << 32 | FAKE_F_PROTOCOL | FAKE_F_LOG)
enum {
  FAKE_MQ = 1,
  FAKE_REPLY_ACK = 1 << 3,
  FAKE_BACKEND_REQ = 1 << 5,
  FAKE_CONFIG = 1 << 9,
  FAKE_BACKEND_SEND_FD = 1 << 10,
  FAKE_INFLIGHT = 1 << 12,
  FAKE_RESET_DEVICE = 1 << 13,
  FAKE_MEM_SLOTS = 1 << 15,
};

/* What it does in place of a good answer, once. */
typedef enum {
  GOOD,
  LATE,          /* after 300 ms */
  SHORT,         /* the payload lacks its last byte, by the header */
  LONG,          /* one byte more, by the header */
  HUGE_PAYLOAD,  /* as the header says; it does not come */
  CUT,           /* less than the header says, and then the connection ends */
  DRIBBLE,       /* a byte of it each 20 ms */
  HALF,          /* a half of it, and no more */
  NO_FLAG,       /* not marked as a reply */
  OTHER_REQUEST, /* an answer to another */
  OTHER_VERSION, /* of the protocol */
  WITH_FDS,      /* descriptors come along */
  NOTHING,       /* no answer */
  DIES,          /* before it answers */
  REFUSES,       /* its acknowledgement is an error */
  TWICE,         /* the same answer again */
  OTHER_RING,    /* of GET_VRING_BASE */
  WIDE_BASE,     /* of GET_VRING_BASE: more than 16 bits */
  EMPTY_CONFIG,  /* of GET_CONFIG: no bytes, as a back end that is asked for too many */
  OTHER_CONFIG,  /* of GET_CONFIG: another part */
  NO_ROOM,       /* of GET_INFLIGHT_FD: no bytes and no descriptor, of one that keeps no record */
  NO_FD,         /* of GET_INFLIGHT_FD: bytes, and no descriptor */
  NO_BYTES,      /* of GET_INFLIGHT_FD: a descriptor, and no bytes */
  TOO_MUCH,      /* of GET_INFLIGHT_FD: of more bytes than anybody needs */
  TOO_FAR,       /* of GET_INFLIGHT_FD: behind where a file can end */
  SHORT_FILE,    /* of GET_INFLIGHT_FD: the file has a byte less than told */
  NO_FILE,       /* of GET_INFLIGHT_FD: a descriptor of what has no size */
} Misdeed;

typedef struct {
  /* Set by the test, before it starts. */
  uint64_t features, protocol, queue_num;
  uint8_t config[VHOST_USER_CONFIG_MAX];
  unsigned config_size; /* it answers no more */
  bool passt;           /* ends at all that passt does not know */
  bool input;           /* the first byte of the configuration chooses what is in the others, as with virtio-input */
  unsigned connections; /* 0: any number; or ends after so many */

  /* Any time, with the lock. */
  GMutex lock;
  VhostUserRequest bad_at;
  Misdeed misdeed;
  GString *log; /* names of what it was asked, with a blank behind each */
  uint64_t acked, protocol_acked;
  unsigned accepted, n_regions;
  uint64_t kicks; /* taken from kick descriptors */
  bool answered_after_table, kicked_before_answer;
  unsigned confers;           /* so often, before an answer, it says that its configuration is another, and waits to be heard */
  bool idle;                  /* takes no chain */
  char mark;                  /* what lay where the record of what is in flight was given to it; then it puts its own mark there */
  VhostUserInflight inflight; /* as it was told */

  char *directory, *path;
  int listen_fd, fd, backend_fd, stop_fd, answer_fd, kept_fd;
  GThread *thread;
  GuestMemory memory; /* as it has mapped it */
  struct {
    VirtQueue queue;
    uint64_t user[3]; /* descriptors, available, used, as they were told */
    int kick, call;
    bool enabled, running;
    uint16_t base;
  } rings[FAKE_BACKEND_RINGS];
  struct {
    uint64_t user, size, base;
  } regions[VHOST_USER_REGIONS_MAX];
} FakeBackend;

static inline void fake_backend_unmap(FakeBackend *b) {
  for (unsigned i = 0; i < b->memory.n_regions; i++)
    munmap(b->memory.regions[i].host, b->memory.regions[i].size);
  b->memory = (GuestMemory){0};
  b->n_regions = 0;
}

static inline void fake_backend_hang_up(FakeBackend *b) {
  backend_close(&b->fd);
  backend_close(&b->backend_fd);
  backend_close(&b->answer_fd);
  backend_close(&b->kept_fd);
  for (unsigned i = 0; i < FAKE_BACKEND_RINGS; i++) {
    backend_close(&b->rings[i].kick);
    backend_close(&b->rings[i].call);
    b->rings[i].enabled = b->rings[i].running = false;
  }
  fake_backend_unmap(b);
}

/* The ring's areas where it has mapped them. */
static inline uint64_t fake_backend_guest(const FakeBackend *b, uint64_t user) {
  for (unsigned i = 0; i < b->n_regions; i++)
    if (user - b->regions[i].user < b->regions[i].size)
      return b->regions[i].base + (user - b->regions[i].user);
  return 0;
}

static inline void fake_backend_run_ring(FakeBackend *b, unsigned i) {
  VirtQueue *queue = &b->rings[i].queue;
  if (b->rings[i].running || b->rings[i].kick < 0 || (!b->rings[i].enabled && (b->acked & FAKE_F_PROTOCOL)))
    return;
  uint16_t size = queue->config.size;
  virtqueue_init(queue, &b->memory, VIRTQUEUE_MAX_SIZE);
  queue->config.size = size;
  queue->config.descriptors = fake_backend_guest(b, b->rings[i].user[0]);
  queue->config.driver = fake_backend_guest(b, b->rings[i].user[1]);
  queue->config.device = fake_backend_guest(b, b->rings[i].user[2]);
  queue->next_avail = queue->next_used = queue->signalled_used = b->rings[i].base;
  g_assert_true(virtqueue_start(queue));
  b->rings[i].running = true;
}

static inline void fake_backend_serve(FakeBackend *b, unsigned i) {
  VirtChain chain;
  eventfd_t count = 0;

  if (eventfd_read(b->rings[i].kick, &count) == 0)
    b->kicks += count;
  while (!b->idle && b->rings[i].running && virtqueue_pop(&b->rings[i].queue, &chain) > 0) {
    uint8_t bytes[256];
    size_t size = virt_chain_read(&chain, 0, bytes, sizeof bytes);
    virtqueue_push(&b->rings[i].queue, chain.head, (uint32_t)virt_chain_write(&chain, 0, bytes, size));
    eventfd_write(b->rings[i].call, 1);
  }
}

static inline void fake_backend_send_raw(int fd, const void *bytes, size_t size, const int *fds, unsigned n_fds) {
  ssize_t sent = backend_send(fd, bytes, size, fds, n_fds, 0);
  g_assert_true(sent == (ssize_t)size || sent < 0); /* who asked may be gone */
}

/* In answer_fd and what is said of it. */
static inline void fake_backend_spoil_inflight(FakeBackend *b, VhostUserMessage *m, Misdeed misdeed) {
  if (misdeed == NO_FD || misdeed == NO_ROOM)
    backend_close(&b->answer_fd);
  if (misdeed == NO_BYTES || misdeed == NO_ROOM)
    m->inflight.mmap_size = 0;
  if (misdeed == TOO_MUCH)
    m->inflight.mmap_size = UINT64_MAX;
  if (misdeed == TOO_FAR)
    m->inflight.mmap_offset = UINT64_MAX;
  if (misdeed == SHORT_FILE)
    m->inflight.mmap_size++;
  if (misdeed == NO_FILE) {
    backend_close(&b->answer_fd);
    b->answer_fd = eventfd(0, EFD_CLOEXEC);
  }
}

static inline void fake_backend_answer(FakeBackend *b, VhostUserMessage *m, Misdeed misdeed) {
  uint8_t bytes[sizeof *m];
  size_t size = 12 + m->size;
  int fds[2] = {b->stop_fd, b->stop_fd};

  m->flags = VHOST_USER_VERSION | VHOST_USER_REPLY;
  switch (misdeed) {
  case LATE:
    g_usleep(300000);
    break;
  case SHORT:
    m->size--;
    size--;
    break;
  case LONG:
    m->size++;
    size++;
    break;
  case HUGE_PAYLOAD:
    m->size = UINT32_MAX;
    break;
  case NO_FLAG:
    m->flags = VHOST_USER_VERSION;
    break;
  case OTHER_REQUEST:
    m->request++;
    break;
  case OTHER_VERSION:
    m->flags = 2 | VHOST_USER_REPLY;
    break;
  case REFUSES:
    m->number = 1;
    break;
  case OTHER_RING:
    m->state.index++;
    break;
  case WIDE_BASE:
    m->state.num = 0x10000;
    break;
  case EMPTY_CONFIG:
    m->size = size = 0;
    size = 12;
    break;
  case OTHER_CONFIG:
    m->config.offset = 4;
    break;
  default:
    break;
  }
  if (m->request == VHOST_USER_GET_INFLIGHT_FD)
    fake_backend_spoil_inflight(b, m, misdeed);
  memcpy(bytes, m, 12);
  memcpy(bytes + 12, &m->number, size - 12);
  switch (misdeed) {
  case NOTHING:
    return;
  case DIES:
    fake_backend_hang_up(b);
    return;
  case CUT:
    fake_backend_send_raw(b->fd, bytes, size - 1, NULL, 0);
    fake_backend_hang_up(b);
    return;
  case HALF:
    fake_backend_send_raw(b->fd, bytes, size / 2, NULL, 0);
    return;
  case DRIBBLE:
    for (size_t i = 0; i < size; i++) {
      fake_backend_send_raw(b->fd, bytes + i, 1, NULL, 0);
      g_usleep(20000);
    }
    return;
  case WITH_FDS:
    fake_backend_send_raw(b->fd, bytes, size, fds, 2);
    return;
  case TWICE:
    fake_backend_send_raw(b->fd, bytes, size, NULL, 0);
    break;
  default:
    break;
  }
  fake_backend_send_raw(b->fd, bytes, size, &b->answer_fd, b->answer_fd >= 0);
  backend_close(&b->answer_fd);
}

static inline void fake_backend_map(FakeBackend *b, const VhostUserMemory *table, const int *fds, unsigned n_fds) {
  fake_backend_unmap(b);
  g_assert_cmpuint(table->n_regions, ==, n_fds);
  for (unsigned i = 0; i < table->n_regions; i++) {
    const VhostUserRegion *r = &table->regions[i];
    void *host = mmap(NULL, r->size, PROT_READ | PROT_WRITE, MAP_SHARED, fds[i], (off_t)r->mmap_offset);
    g_assert_true(host != MAP_FAILED);
    g_assert_true(guest_memory_add(&b->memory, r->guest_address, r->size, host));
    b->regions[i].user = r->user_address;
    b->regions[i].size = r->size;
    b->regions[i].base = r->guest_address;
    close(fds[i]);
  }
  b->n_regions = table->n_regions;
}

/* Answers or does what M asks. True: M holds an answer. With the lock. */
static inline bool fake_backend_do(FakeBackend *b, VhostUserMessage *m, const int *fds, unsigned n_fds) {
  unsigned ring = 0;

  switch (m->request) {
  case VHOST_USER_GET_FEATURES:
    m->number = b->features;
    m->size = 8;
    b->answered_after_table |= b->n_regions > 0;
    return true;
  case VHOST_USER_SET_FEATURES:
    b->acked = m->number;
    return false;
  case VHOST_USER_GET_PROTOCOL_FEATURES:
    m->number = b->protocol;
    m->size = 8;
    return true;
  case VHOST_USER_SET_PROTOCOL_FEATURES:
    b->protocol_acked = m->number;
    return false;
  case VHOST_USER_GET_QUEUE_NUM:
    m->number = b->queue_num;
    m->size = 8;
    return true;
  case VHOST_USER_SET_MEM_TABLE:
    g_assert_cmpuint(m->size, ==, 8 + 32 * m->memory.n_regions);
    fake_backend_map(b, &m->memory, fds, n_fds);
    return false;
  case VHOST_USER_SET_VRING_NUM:
    g_assert_cmpuint(m->state.index, <, FAKE_BACKEND_RINGS);
    b->rings[m->state.index].queue.config.size = (uint16_t)m->state.num;
    return false;
  case VHOST_USER_SET_VRING_BASE:
    b->rings[m->state.index].base = (uint16_t)m->state.num;
    return false;
  case VHOST_USER_SET_VRING_ADDR:
    b->rings[m->address.index].user[0] = m->address.descriptors;
    b->rings[m->address.index].user[1] = m->address.available;
    b->rings[m->address.index].user[2] = m->address.used;
    return false;
  case VHOST_USER_SET_VRING_KICK:
  case VHOST_USER_SET_VRING_CALL:
    ring = (unsigned)(m->number & 0xff);
    g_assert_cmpuint(ring, <, FAKE_BACKEND_RINGS);
    g_assert_cmpuint(n_fds, ==, 1); /* also of a masked vector */
    g_assert_false(m->number & VHOST_USER_NO_FD);
    int *place = m->request == VHOST_USER_SET_VRING_KICK ? &b->rings[ring].kick : &b->rings[ring].call;
    backend_close(place);
    *place = fds[0];
    fake_backend_run_ring(b, ring);
    return false;
  case VHOST_USER_SET_VRING_ENABLE:
    b->rings[m->state.index].enabled = m->state.num;
    fake_backend_run_ring(b, m->state.index);
    return false;
  case VHOST_USER_GET_VRING_BASE:
    ring = m->state.index;
    m->state.num = b->rings[ring].running ? b->rings[ring].queue.next_avail : b->rings[ring].base;
    b->rings[ring].running = b->rings[ring].enabled = false;
    backend_close(&b->rings[ring].kick);
    return true;
  case VHOST_USER_GET_INFLIGHT_FD:
    g_assert_cmpuint(m->size, ==, 24);
    g_assert_cmpuint(n_fds, ==, 0);
    b->answer_fd = memfd_create("inflight", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    g_assert_cmpint(ftruncate(b->answer_fd, 2 * FAKE_INFLIGHT_SIZE), ==, 0);
    m->inflight.mmap_size = m->inflight.mmap_offset = FAKE_INFLIGHT_SIZE;
    return true;
  case VHOST_USER_SET_INFLIGHT_FD:
    g_assert_cmpuint(m->size, ==, 24);
    g_assert_cmpuint(n_fds, ==, 1);
    b->inflight = m->inflight;
    g_assert_cmpint(pread(fds[0], &b->mark, 1, (off_t)m->inflight.mmap_offset), ==, 1);
    g_assert_cmpint(pwrite(fds[0], &(char){FAKE_INFLIGHT_MARK}, 1, (off_t)m->inflight.mmap_offset), ==, 1);
    backend_close(&b->kept_fd);
    b->kept_fd = fds[0];
    return false;
  case VHOST_USER_SET_BACKEND_REQ_FD:
    g_assert_cmpuint(n_fds, ==, 1);
    backend_close(&b->backend_fd);
    b->backend_fd = fds[0];
    return false;
  case VHOST_USER_GET_CONFIG:
    if (m->config.offset + m->config.size > b->config_size)
      m->config.size = 0;
    memcpy(m->config.bytes, b->config + m->config.offset, m->config.size);
    m->size = m->config.size ? 12 + m->config.size : 0;
    return true;
  case VHOST_USER_SET_CONFIG:
    g_assert_cmpuint(m->size, ==, 12 + m->config.size);
    memcpy(b->config + m->config.offset, m->config.bytes, m->config.size);
    if (b->input)
      memset(b->config + 1, b->config[0], b->config_size - 1);
    return false;
  default: /* SET_OWNER, RESET_DEVICE */
    return false;
  }
}

/* What passt knows: next to all that it does not, it ends. */
static inline bool fake_backend_passt_knows(uint32_t request) {
  static const VhostUserRequest known[] = {VHOST_USER_GET_FEATURES,    VHOST_USER_SET_FEATURES,          VHOST_USER_SET_OWNER,
                                           VHOST_USER_SET_MEM_TABLE,   VHOST_USER_SET_VRING_NUM,         VHOST_USER_SET_VRING_ADDR,
                                           VHOST_USER_SET_VRING_BASE,  VHOST_USER_GET_VRING_BASE,        VHOST_USER_SET_VRING_KICK,
                                           VHOST_USER_SET_VRING_CALL,  VHOST_USER_GET_PROTOCOL_FEATURES, VHOST_USER_SET_PROTOCOL_FEATURES,
                                           VHOST_USER_SET_VRING_ENABLE};
  for (unsigned i = 0; i < G_N_ELEMENTS(known); i++)
    if (known[i] == request)
      return true;
  return false;
}

/* Says something on its own way, and goes on once it was heard. False: nobody hears it. */
static inline bool fake_backend_confer(FakeBackend *b) {
  uint32_t news[3] = {VHOST_USER_BACKEND_CONFIG_CHANGE_MSG, VHOST_USER_VERSION | VHOST_USER_NEED_REPLY, 0};
  VhostUserMessage heard;
  BackendFds fds = {.n = 0};

  fake_backend_send_raw(b->backend_fd, news, sizeof news, NULL, 0);
  return backend_read_message(b->backend_fd, b->stop_fd, &heard, &fds);
}

static inline void fake_backend_message(FakeBackend *b) {
  VhostUserMessage m;
  BackendFds fds = {.n = 0};

  if (!backend_read_message(b->fd, b->stop_fd, &m, &fds)) {
    g_mutex_lock(&b->lock);
    fake_backend_hang_up(b);
    g_mutex_unlock(&b->lock);
    return;
  }
  uint32_t request = m.request, flags = m.flags;
  g_assert_cmphex(flags & ~8u, ==, VHOST_USER_VERSION);
  g_mutex_lock(&b->lock);
  g_string_append_printf(b->log, "%s ", vhost_user_request_name(request));
  Misdeed misdeed = b->bad_at == request ? b->misdeed : GOOD;
  if (misdeed != GOOD)
    b->misdeed = GOOD;
  if (misdeed == LATE && !(flags & VHOST_USER_NEED_REPLY))
    g_usleep(300000); /* before it does it */
  if (b->passt && !fake_backend_passt_knows(request)) {
    fake_backend_hang_up(b);
    g_mutex_unlock(&b->lock);
    return;
  }
  bool answer = fake_backend_do(b, &m, fds.fd, fds.n);
  bool acknowledge = !answer && (flags & VHOST_USER_NEED_REPLY) && (b->protocol_acked & FAKE_REPLY_ACK);
  g_assert_true(!(flags & VHOST_USER_NEED_REPLY) || (b->protocol_acked & FAKE_REPLY_ACK));
  if (acknowledge) {
    m.number = 0;
    m.size = 8;
  }
  unsigned confers = (request == VHOST_USER_GET_CONFIG || request == VHOST_USER_SET_CONFIG) && b->backend_fd >= 0 ? b->confers : 0;
  g_mutex_unlock(&b->lock);
  while (confers && fake_backend_confer(b))
    confers--;
  if (answer || acknowledge || misdeed == DIES)
    fake_backend_answer(b, &m, misdeed);
}

static inline void *fake_backend_thread(void *data) {
  FakeBackend *b = data;

  while (true) {
    struct pollfd fds[3 + FAKE_BACKEND_RINGS] = {
        {.fd = b->stop_fd, .events = POLLIN}, {.fd = b->fd < 0 ? b->listen_fd : -1, .events = POLLIN}, {.fd = b->fd, .events = POLLIN}};
    for (unsigned i = 0; i < FAKE_BACKEND_RINGS; i++)
      fds[3 + i] = (struct pollfd){.fd = b->rings[i].running ? b->rings[i].kick : -1, .events = POLLIN};
    poll(fds, G_N_ELEMENTS(fds), -1);
    if (fds[0].revents)
      break;
    if (fds[1].revents) {
      b->fd = accept(b->listen_fd, NULL, NULL);
      __atomic_fetch_add(&b->accepted, 1, __ATOMIC_SEQ_CST);
      b->protocol_acked = 0;
    }
    if (fds[2].revents)
      fake_backend_message(b);
    g_mutex_lock(&b->lock);
    for (unsigned i = 0; i < FAKE_BACKEND_RINGS; i++)
      if (fds[3 + i].revents && b->rings[i].running)
        fake_backend_serve(b, i);
    g_mutex_unlock(&b->lock);
  }
  fake_backend_hang_up(b);
  return NULL;
}

static inline void fake_backend_listen(FakeBackend *b) {
  b->listen_fd = backend_listen(b->path);
  b->stop_fd = eventfd(0, EFD_CLOEXEC);
  b->thread = g_thread_new("back end", fake_backend_thread, b);
}

/* A good one with two rings, that does not run yet. */
static inline void fake_backend_init(FakeBackend *b) {
  *b = (FakeBackend){
      .features = FAKE_FEATURES,
      .protocol = FAKE_MQ | FAKE_REPLY_ACK | FAKE_RESET_DEVICE | FAKE_MEM_SLOTS,
      .queue_num = 2,
      .listen_fd = -1,
      .fd = -1,
      .backend_fd = -1,
      .stop_fd = -1,
      .answer_fd = -1,
      .kept_fd = -1,
      .log = g_string_new(NULL),
  };
  g_mutex_init(&b->lock);
  for (unsigned i = 0; i < FAKE_BACKEND_RINGS; i++)
    b->rings[i].kick = b->rings[i].call = -1;
  b->directory = g_dir_make_tmp("vhost-XXXXXX", NULL);
  b->path = g_build_filename(b->directory, "socket", NULL);
}

/* Its process is gone. */
static inline void fake_backend_stop(FakeBackend *b) {
  if (!b->thread)
    return;
  eventfd_write(b->stop_fd, 1);
  g_thread_join(b->thread);
  b->thread = NULL;
  backend_close(&b->listen_fd);
  backend_close(&b->stop_fd);
  g_unlink(b->path);
}

static inline void fake_backend_clear(FakeBackend *b) {
  fake_backend_stop(b);
  g_rmdir(b->directory);
  g_string_free(b->log, TRUE);
  g_free(b->directory);
  g_free(b->path);
  g_mutex_clear(&b->lock);
}

static inline void fake_backend_misbehave(FakeBackend *b, VhostUserRequest at, Misdeed misdeed) {
  g_mutex_lock(&b->lock);
  b->bad_at = at;
  b->misdeed = misdeed;
  g_mutex_unlock(&b->lock);
}

/* What it was asked since the last time; to be freed. */
static inline char *fake_backend_log(FakeBackend *b) {
  g_mutex_lock(&b->lock);
  char *log = g_strdup(g_strchomp(b->log->str));
  g_string_truncate(b->log, 0);
  g_mutex_unlock(&b->lock);
  return log;
}

/* Says something on its own. */
static inline void fake_backend_say(FakeBackend *b, uint32_t request, uint32_t flags, uint32_t size, bool with_fd) {
  uint8_t bytes[12 + 64] = {0};
  uint32_t header[3] = {request, flags, size};
  memcpy(bytes, header, sizeof header);
  fake_backend_send_raw(b->backend_fd, bytes, 12 + MIN(size, 64), &b->stop_fd, with_fd);
}
