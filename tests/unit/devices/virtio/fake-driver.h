/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The other side of virtio, for tests: a megabyte of guest memory, a driver that writes rings by hand (right or wrong),
 * a device type that copies what it reads back to the driver, and hosts that remember interrupts, messages and
 * doorbells. Tests only.
 */
#pragma once

#include <glib.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "devices/interrupt.h"
#include "devices/virtio/virtio.h"

#define RAM_BASE UINT64_C(0x40000000)
#define RAM_SIZE UINT64_C(0x100000)

/* Descriptor flags, as in the specification. */
enum { NEXT = 1, WRITE = 2, INDIRECT = 4 };

/* Waits until the I/O thread has made CONDITION true. */
#define WAIT_FOR(condition)                                                                                                                \
  do {                                                                                                                                     \
    gint64 end_ = g_get_monotonic_time() + 10 * G_USEC_PER_SEC;                                                                            \
    while (!(condition) && g_get_monotonic_time() < end_)                                                                                  \
      g_usleep(200);                                                                                                                       \
    g_assert_true(condition);                                                                                                              \
  } while (0)

typedef struct {
  GuestMemory memory;
  uint8_t *ram; /* of exactly RAM_SIZE bytes, so that the sanitizer sees a step beyond */
  int fd;       /* of shared memory, or -1 */
} FakeGuest;

static inline void fake_guest_init(FakeGuest *guest) {
  memset(guest, 0, sizeof *guest);
  guest->fd = -1;
  guest->ram = aligned_alloc(4096, RAM_SIZE);
  memset(guest->ram, 0, RAM_SIZE);
  g_assert_true(guest_memory_add(&guest->memory, RAM_BASE, RAM_SIZE, guest->ram));
}

/* With memory that others may map, which begins at a page of the file that is not its first. */
#define FAKE_SHARED_OFFSET 0x10000
static inline void fake_guest_init_shared(FakeGuest *guest) {
  memset(guest, 0, sizeof *guest);
  guest->fd = (int)syscall(SYS_memfd_create, "guest", 1 /* MFD_CLOEXEC */);
  g_assert_cmpint(guest->fd, >=, 0);
  g_assert_cmpint(ftruncate(guest->fd, FAKE_SHARED_OFFSET + RAM_SIZE), ==, 0);
  guest->ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, guest->fd, FAKE_SHARED_OFFSET);
  g_assert_true(guest->ram != MAP_FAILED);
  g_assert_true(guest_memory_add_shared(&guest->memory, RAM_BASE, RAM_SIZE, guest->ram, guest->fd, FAKE_SHARED_OFFSET));
}

static inline void fake_guest_clear(FakeGuest *guest) {
  if (guest->fd < 0) {
    free(guest->ram);
    return;
  }
  munmap(guest->ram, RAM_SIZE);
  close(guest->fd);
}

static inline void *fake_at(const FakeGuest *guest, uint64_t address) {
  g_assert_cmphex(address, >=, RAM_BASE);
  g_assert_cmphex(address, <, RAM_BASE + RAM_SIZE);
  return guest->ram + (address - RAM_BASE);
}

/* The driver's half of a queue. */
typedef struct {
  FakeGuest *guest;
  uint16_t size;
  uint64_t descriptors, driver, device;
  uint16_t avail_idx;
} FakeQueue;

/* NUMBER gives each queue 64 KiB of its own from the start of RAM. */
static inline FakeQueue fake_queue(FakeGuest *guest, unsigned number, uint16_t size) {
  uint64_t base = RAM_BASE + 0x10000 * (uint64_t)number;
  return (FakeQueue){.guest = guest, .size = size, .descriptors = base, .driver = base + 0x4000, .device = base + 0x8000};
}

/* The driver tells DEVICE where its queue INDEX is. */
static inline void fake_tell_queue(VirtioDevice *device, unsigned index, const FakeQueue *driver) {
  VirtQueue *queue = virtio_queue_to_configure(device, index);

  g_assert_nonnull(queue);
  queue->config.size = driver->size;
  queue->config.descriptors = driver->descriptors;
  queue->config.driver = driver->driver;
  queue->config.device = driver->device;
  queue->config.ready = true;
}

static inline void fake_descriptor_at(FakeGuest *guest, uint64_t table, unsigned index, uint64_t address, uint32_t size, uint16_t flags,
                                      uint16_t next) {
  uint8_t *to = fake_at(guest, table + 16 * (uint64_t)index);
  memcpy(to, &address, 8);
  memcpy(to + 8, &size, 4);
  memcpy(to + 12, &flags, 2);
  memcpy(to + 14, &next, 2);
}

static inline void fake_descriptor(FakeQueue *queue, unsigned index, uint64_t address, uint32_t size, uint16_t flags, uint16_t next) {
  fake_descriptor_at(queue->guest, queue->descriptors, index, address, size, flags, next);
}

static inline uint16_t *fake_driver_word(FakeQueue *queue, unsigned word) {
  return (uint16_t *)(void *)((uint8_t *)fake_at(queue->guest, queue->driver) + 2 * (size_t)word);
}

static inline uint16_t *fake_device_word(FakeQueue *queue, unsigned word) {
  return (uint16_t *)(void *)((uint8_t *)fake_at(queue->guest, queue->device) + 2 * (size_t)word);
}

static inline void fake_set_avail_idx(FakeQueue *queue, uint16_t idx) {
  queue->avail_idx = idx;
  __atomic_store_n(fake_driver_word(queue, 1), idx, __ATOMIC_RELEASE);
}

static inline void fake_set_avail_flags(FakeQueue *queue, uint16_t flags) {
  *fake_driver_word(queue, 0) = flags;
}

static inline void fake_set_used_event(FakeQueue *queue, uint16_t event) {
  *fake_driver_word(queue, 2 + queue->size) = event;
}

static inline uint16_t fake_avail_event(FakeQueue *queue) {
  return *fake_device_word(queue, 2 + 4u * queue->size);
}

static inline void fake_offer(FakeQueue *queue, uint16_t head) {
  *fake_driver_word(queue, 2 + queue->avail_idx % queue->size) = head;
  fake_set_avail_idx(queue, queue->avail_idx + 1);
}

static inline uint16_t fake_used_flags(FakeQueue *queue) {
  return *fake_device_word(queue, 0);
}

static inline uint16_t fake_used_idx(FakeQueue *queue) {
  return __atomic_load_n(fake_device_word(queue, 1), __ATOMIC_ACQUIRE);
}

static inline void fake_used(FakeQueue *queue, uint16_t index, uint32_t *id, uint32_t *written) {
  const uint8_t *element = (const uint8_t *)fake_at(queue->guest, queue->device) + 4 + 8 * (size_t)(index % queue->size);
  memcpy(id, element, 4);
  memcpy(written, element + 4, 4);
}

/* A wire that counts. */
typedef struct {
  IrqLine line;
  int level, raised; /* atomic: what it shows; set(true) calls */
} FakeLine;

static inline void fake_line_set(IrqLine *line, bool level) {
  FakeLine *fake = (FakeLine *)line;
  __atomic_store_n(&fake->level, level, __ATOMIC_SEQ_CST);
  if (level)
    __atomic_fetch_add(&fake->raised, 1, __ATOMIC_SEQ_CST);
}

#define FAKE_LINE                                                                                                                          \
  {                                                                                                                                        \
    .line = { fake_line_set }                                                                                                              \
  }

/* Doorbells that remember. */
typedef struct {
  uint64_t address;
  unsigned size;
  bool match;
  uint32_t value;
  int fd;
} FakeBell;

typedef struct {
  Doorbells doorbells;
  bool refuse;
  unsigned n;
  FakeBell bells[16];
} FakeDoorbells;

static inline bool fake_attach(Doorbells *doorbells, uint64_t address, unsigned size, bool match, uint32_t value, int fd) {
  FakeDoorbells *fake = (FakeDoorbells *)doorbells;
  if (fake->refuse)
    return false;
  g_assert_cmpuint(fake->n, <, G_N_ELEMENTS(fake->bells));
  fake->bells[fake->n++] = (FakeBell){address, size, match, value, fd};
  return true;
}

static inline void fake_detach(Doorbells *doorbells, uint64_t address, unsigned size, bool match, uint32_t value, int fd) {
  FakeDoorbells *fake = (FakeDoorbells *)doorbells;
  for (unsigned i = 0; i < fake->n; i++) {
    const FakeBell *bell = &fake->bells[i];
    if (bell->address == address && bell->size == size && bell->match == match && bell->value == value && bell->fd == fd) {
      fake->bells[i] = fake->bells[--fake->n];
      return;
    }
  }
  g_assert_not_reached(); /* never attached with these arguments */
}

#define FAKE_DOORBELLS                                                                                                                     \
  {                                                                                                                                        \
    .doorbells = { fake_attach, fake_detach }                                                                                              \
  }

/* Rings as the kernel would: a write of VALUE to ADDRESS. False when no bell hangs there. */
static inline bool fake_ring(FakeDoorbells *fake, uint64_t address, unsigned size, uint32_t value) {
  uint64_t one = 1;
  for (unsigned i = 0; i < fake->n; i++) {
    const FakeBell *bell = &fake->bells[i];
    if (bell->address == address && (!bell->size || bell->size == size) && (!bell->match || bell->value == value))
      return write(bell->fd, &one, sizeof one) == sizeof one;
  }
  return false;
}

/* A message controller that remembers. */
struct MsiRoute {
  bool used, set;
  uint32_t device_id, data;
  uint64_t address;
  int n_set, n_signalled; /* atomic */
  unsigned n_attached;
  int attached[4];
  bool refuse; /* to attach */
};

typedef struct {
  MsiController controller;
  unsigned n, limit, freed;
  MsiRoute routes[16];
} FakeMsi;

static inline MsiRoute *fake_route_new(MsiController *controller, uint32_t device_id) {
  FakeMsi *msi = (FakeMsi *)controller;
  if (msi->n == msi->limit)
    return NULL;
  msi->routes[msi->n] = (MsiRoute){.used = true, .device_id = device_id};
  return &msi->routes[msi->n++];
}

static inline void fake_route_set(MsiRoute *route, uint64_t address, uint32_t data) {
  route->set = true;
  route->address = address;
  route->data = data;
  __atomic_fetch_add(&route->n_set, 1, __ATOMIC_SEQ_CST);
}

static inline void fake_route_signal(MsiRoute *route) {
  if (route->set)
    __atomic_fetch_add(&route->n_signalled, 1, __ATOMIC_SEQ_CST);
}

static inline void fake_route_free(MsiRoute *route) {
  if (!route)
    return;
  g_assert_cmpuint(route->n_attached, ==, 0);
  route->used = false;
}

static inline bool fake_route_attach(MsiRoute *route, int fd) {
  g_assert_true(route->set);
  if (route->refuse)
    return false;
  g_assert_cmpuint(route->n_attached, <, G_N_ELEMENTS(route->attached));
  route->attached[route->n_attached++] = fd;
  return true;
}

static inline void fake_route_detach(MsiRoute *route, int fd) {
  for (unsigned i = 0; i < route->n_attached; i++)
    if (route->attached[i] == fd) {
      route->attached[i] = route->attached[--route->n_attached];
      return;
    }
  g_assert_not_reached(); /* never attached */
}

static const MsiControllerOps fake_msi_ops = {
    .route_new = fake_route_new,
    .route_set = fake_route_set,
    .route_signal = fake_route_signal,
    .route_free = fake_route_free,
    .route_attach = fake_route_attach,
    .route_detach = fake_route_detach,
};
#define FAKE_MSI                                                                                                                           \
  { .controller = {&fake_msi_ops}, .limit = 16 }

/* A device type that answers each chain with what it reads from it. */
#define LOOPBACK_QUEUES      2
#define LOOPBACK_QUEUE_SIZE  16
#define LOOPBACK_CONFIG_SIZE 12
#define LOOPBACK_FEATURE     (UINT64_C(1) << 5)
#define LOOPBACK_FEATURE_HI  (UINT64_C(1) << 40)

typedef struct {
  VirtioDevice base;
  uint8_t config[LOOPBACK_CONFIG_SIZE];
  int starts, stops, resets, notifies[LOOPBACK_QUEUES], chains, frees; /* atomic */
  int hold;                                                            /* atomic: leaves chains in the queue */
  int fail_at_start;
  GThread *served_by;
  int *freed; /* counts up in free; may be NULL */
} Loopback;

static inline void loopback_config_read(VirtioDevice *device, unsigned offset, void *to, unsigned size) {
  g_assert_cmpuint(offset + size, <=, LOOPBACK_CONFIG_SIZE);
  memcpy(to, ((Loopback *)device)->config + offset, size);
}

static inline void loopback_config_write(VirtioDevice *device, unsigned offset, const void *from, unsigned size) {
  g_assert_cmpuint(offset + size, <=, LOOPBACK_CONFIG_SIZE);
  memcpy(((Loopback *)device)->config + offset, from, size);
}

static inline void loopback_start(VirtioDevice *device) {
  Loopback *loopback = (Loopback *)device;
  loopback->served_by = g_thread_self();
  __atomic_fetch_add(&loopback->starts, 1, __ATOMIC_SEQ_CST);
  if (loopback->fail_at_start)
    virtio_fail(device, "told to fail at start");
}

static inline void loopback_notify(VirtioDevice *device, unsigned queue) {
  Loopback *loopback = (Loopback *)device;
  VirtChain chain;

  g_assert_true(g_thread_self() == loopback->served_by);
  __atomic_fetch_add(&loopback->notifies[queue], 1, __ATOMIC_SEQ_CST);
  if (__atomic_load_n(&loopback->hold, __ATOMIC_SEQ_CST))
    return;
  while (virtio_pop(device, queue, &chain) > 0) {
    uint8_t bytes[256];
    size_t size = virt_chain_read(&chain, 0, bytes, sizeof bytes);
    size_t written = virt_chain_write(&chain, 0, bytes, size);
    virtio_push(device, queue, chain.head, (uint32_t)written);
    __atomic_fetch_add(&loopback->chains, 1, __ATOMIC_SEQ_CST);
  }
  virtio_interrupt(device, queue);
}

static inline void loopback_stop(VirtioDevice *device) {
  Loopback *loopback = (Loopback *)device;
  g_assert_true(g_thread_self() == loopback->served_by);
  __atomic_fetch_add(&loopback->stops, 1, __ATOMIC_SEQ_CST);
}

static inline void loopback_reset(VirtioDevice *device) {
  __atomic_fetch_add(&((Loopback *)device)->resets, 1, __ATOMIC_SEQ_CST);
}

static inline void loopback_free(VirtioDevice *device) {
  Loopback *loopback = (Loopback *)device;
  g_assert_cmpint(loopback->starts, ==, loopback->stops);
  if (loopback->freed)
    ++*loopback->freed;
  virtio_device_clear(device);
  g_free(loopback);
}

static const VirtioDeviceOps loopback_ops = {
    .id = VIRTIO_ID_BLOCK,
    .name = "loopback",
    .config_size = LOOPBACK_CONFIG_SIZE,
    .config_read = loopback_config_read,
    .config_write = loopback_config_write,
    .start = loopback_start,
    .notify = loopback_notify,
    .stop = loopback_stop,
    .reset = loopback_reset,
    .free = loopback_free,
};

static inline Loopback *loopback_new(const GuestMemory *memory) {
  static const uint16_t sizes[LOOPBACK_QUEUES] = {LOOPBACK_QUEUE_SIZE, LOOPBACK_QUEUE_SIZE / 2};
  Loopback *loopback = g_new0(Loopback, 1);
  g_assert_true(virtio_device_init(&loopback->base, &loopback_ops, "loopback0", memory, LOOPBACK_FEATURE | LOOPBACK_FEATURE_HI,
                                   LOOPBACK_QUEUES, sizes, NULL));
  return loopback;
}

/* As who serves QUEUE elsewhere interrupts, where no host takes it. */
static inline void fake_call(VirtioDevice *device, unsigned queue) {
  uint64_t one = 1;
  g_assert_cmpint(write(virtio_call_fd(device, queue), &one, sizeof one), ==, sizeof one);
}

static inline void fake_nothing(void *opaque) {
}

/*
 * Returns when the device's thread has answered every doorbell that has rung so far: calls come after sources that are
 * ready.
 */
static inline void fake_settle(VirtioDevice *device) {
  g_assert_true(io_thread_start(device->io, NULL, NULL));
  io_thread_call(device->io, fake_nothing, NULL);
  io_thread_call(device->io, fake_nothing, NULL);
}

/* Offers chain HEAD, HEAD + 1: TEXT to read and room of the same size at RAM_BASE + 0x80000 + 0x100 * HEAD. */
static inline void fake_offer_text(FakeQueue *queue, uint16_t head, const char *text) {
  uint64_t out = RAM_BASE + 0x80000 + 0x200 * (uint64_t)head, in = out + 0x100;
  memcpy(fake_at(queue->guest, out), text, strlen(text));
  memset(fake_at(queue->guest, in), 0, 0x100);
  fake_descriptor(queue, head, out, (uint32_t)strlen(text), NEXT, head + 1);
  fake_descriptor(queue, head + 1u, in, 0x100, WRITE, 0);
  fake_offer(queue, head);
}

static inline const char *fake_answer(FakeQueue *queue, uint16_t head) {
  return fake_at(queue->guest, RAM_BASE + 0x80000 + 0x200 * (uint64_t)head + 0x100);
}
