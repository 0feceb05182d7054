/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A vhost-user back end for tests: a virtio entropy device (virtio 1.2, 5.4) of one queue that fills buffers with one
 * byte, so that who reads knows where they come from. QEMU: docs/interop/vhost-user.rst. It shares no code with what it
 * tests, trusts its front end, and serves one at a time, one after the other.
 *
 *   rng-back-end PATH BYTE [inflight]        BYTE: a number
 *
 * inflight: it takes its time for each chain, and writes down meanwhile what it has in hand, as "Inflight I/O tracking"
 * there says for split virtqueues; who is given such a record goes on with it, and says so.
 */
#define _GNU_SOURCE /* memfd_create */
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { GET_FEATURES = 1, SET_MEM_TABLE = 5, SET_VRING_NUM = 8, SET_VRING_ADDR = 9, SET_VRING_BASE = 10, GET_VRING_BASE = 11 };
enum { SET_VRING_KICK = 12, SET_VRING_CALL = 13, GET_PROTOCOL_FEATURES = 15, SET_PROTOCOL_FEATURES = 16, SET_VRING_ENABLE = 18 };
enum { GET_INFLIGHT_FD = 31, SET_INFLIGHT_FD = 32 };
enum { VERSION = 1, REPLY = 4, NEED_REPLY = 8, REPLY_ACK = 1 << 3, INFLIGHT_SHMFD = 1 << 12, REGIONS = 8 };
#define DESC_WRITE 2
#define FEATURES   (UINT64_C(1) << 32 | UINT64_C(1) << 30) /* VERSION_1, PROTOCOL_FEATURES */

typedef struct {
  uint32_t request, flags, size;
  union {
    uint64_t number;
    uint32_t state[2];
    struct {
      uint32_t index, flags;
      uint64_t descriptors, used, available, log;
    } address;
    struct {
      uint32_t n, padding;
      struct {
        uint64_t guest, size, user, offset;
      } regions[REGIONS];
    } memory;
    struct {
      uint64_t size, offset;
      uint16_t queues, queue_size;
    } inflight;
    uint8_t bytes[512];
  };
} Message;

/* "struct QueueRegionSplit", of which it has one. */
typedef struct {
  uint64_t features;
  uint16_t version, desc_num, last_batch_head, used_idx;
  struct {
    uint8_t inflight, padding[5];
    uint16_t next;
    uint64_t counter;
  } desc[];
} Record;
enum { RECORD_VERSION = 1, HOLD_US = 10000 };

static struct {
  uint64_t guest, user, size;
  uint8_t *here;
} regions[REGIONS];
static uint32_t n_regions, ring_size;
static uint16_t next;
static uint64_t descriptors, used, available;
static int kick = -1, call = -1, enabled, connection = -1, fill, keeps_record;
static Record *record;
static size_t record_size;
static uint64_t counter;

static void fail(const char *what) {
  perror(what);
  exit(1);
}

/* Of an address of the front end's, or of the guest's. */
static void *find(uint64_t address, int is_guest) {
  for (uint32_t i = 0; i < n_regions; i++) {
    uint64_t offset = address - (is_guest ? regions[i].guest : regions[i].user);
    if (offset < regions[i].size)
      return regions[i].here + offset;
  }
  fprintf(stderr, "nothing is at %#llx\n", (unsigned long long)address);
  exit(1);
}

static void put_fd(int *place, int fd) {
  if (*place >= 0)
    close(*place);
  *place = fd;
}

static void map_memory(const Message *m, const int *fds) {
  for (uint32_t i = 0; i < n_regions; i++)
    munmap(regions[i].here, regions[i].size);
  n_regions = m->memory.n;
  for (uint32_t i = 0; i < n_regions; i++) {
    regions[i].guest = m->memory.regions[i].guest;
    regions[i].user = m->memory.regions[i].user;
    regions[i].size = m->memory.regions[i].size;
    regions[i].here = mmap(NULL, regions[i].size, PROT_READ | PROT_WRITE, MAP_SHARED, fds[i], (off_t)m->memory.regions[i].offset);
    if (regions[i].here == MAP_FAILED)
      fail("mmap");
    close(fds[i]);
  }
}

static void note_taken(uint16_t head) {
  if (!record || head >= record->desc_num)
    return;
  record->desc[head].counter = counter++;
  record->desc[head].inflight = 1;
  usleep(HOLD_US);
}

/* The order is what lets the next one tell how far this one came. */
static void give_back(uint16_t head, uint32_t size) {
  uint16_t *used_ring = find(used, 0), index = __atomic_load_n(&used_ring[1], __ATOMIC_RELAXED);
  uint32_t element[2] = {head, size};
  int recorded = record && head < record->desc_num;

  memcpy((uint8_t *)used_ring + 4 + 8 * (index % ring_size), element, sizeof element);
  if (recorded)
    __atomic_store_n(&record->last_batch_head, head, __ATOMIC_RELEASE);
  __atomic_store_n(&used_ring[1], index + 1, __ATOMIC_RELEASE);
  if (!recorded)
    return;
  __atomic_store_n(&record->desc[head].inflight, 0, __ATOMIC_RELEASE);
  __atomic_store_n(&record->used_idx, index + 1, __ATOMIC_RELEASE);
}

/* What is not to be written, or not all there, is none of what a guest asks for: another process comes after this. */
static void fill_chain(uint16_t head) {
  const uint8_t *descriptor = (const uint8_t *)find(descriptors, 0) + 16 * head;
  uint64_t address, count = 1;
  uint32_t size;
  uint16_t flags;

  memcpy(&address, descriptor, sizeof address);
  memcpy(&size, descriptor + 8, sizeof size);
  memcpy(&flags, descriptor + 12, sizeof flags);
  if (!(flags & DESC_WRITE) || !size) {
    fprintf(stderr, "nothing is to be written\n");
    exit(1);
  }
  find(address + size - 1, 1);
  memset(find(address, 1), fill, size);
  give_back(head, size);
  if (write(call, &count, sizeof count) < 0)
    fail("call");
}

/* What another had in hand, first taken first; new ones come behind. */
static void go_on(void) {
  const uint16_t *used_ring = find(used, 0);
  unsigned n = 0;

  if (!record)
    return;
  if (record->version != RECORD_VERSION) {
    record->version = RECORD_VERSION;
    record->used_idx = used_ring[1];
    return;
  }
  if (record->used_idx != used_ring[1]) {
    record->desc[record->last_batch_head % record->desc_num].inflight = 0;
    record->used_idx = used_ring[1];
  }
  for (uint16_t i = 0; i < record->desc_num; i++)
    n += record->desc[i].inflight;
  fprintf(stderr, "goes on at %u with %u in hand\n", used_ring[1], n);
  next = (uint16_t)(used_ring[1] + n);
  while (n--) {
    int first = -1;
    for (int i = 0; i < record->desc_num; i++)
      if (record->desc[i].inflight && (first < 0 || record->desc[i].counter < record->desc[first].counter))
        first = i;
    counter = record->desc[first].counter + 1;
    fill_chain((uint16_t)first);
  }
}

static void serve(void) {
  uint64_t count;
  uint16_t *avail = find(available, 0);

  if (read(kick, &count, sizeof count) < 0)
    return;
  while (next != __atomic_load_n(&avail[1], __ATOMIC_ACQUIRE)) {
    uint16_t head = avail[2 + next % ring_size];
    note_taken(head);
    next++;
    fill_chain(head);
  }
}

static void map_record(const Message *m, int fd) {
  if (record)
    munmap(record, record_size);
  record_size = m->inflight.size;
  record = mmap(NULL, record_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)m->inflight.offset);
  if (record == MAP_FAILED)
    fail("mmap");
  close(fd);
  record->desc_num = m->inflight.queue_size;
}

/* A new one, as zeros. */
static int make_record(Message *m) {
  int fd = memfd_create("inflight", MFD_CLOEXEC);

  m->inflight.size = sizeof(Record) + sizeof record->desc[0] * m->inflight.queue_size;
  m->inflight.offset = 0;
  if (fd < 0 || ftruncate(fd, (off_t)m->inflight.size) < 0)
    fail("memfd");
  return fd;
}

/* True: M is the answer, with *FD. */
static int handle(Message *m, const int *fds, int *fd) {
  switch (m->request) {
  case GET_FEATURES:
    m->number = FEATURES;
    m->size = 8;
    return 1;
  case GET_PROTOCOL_FEATURES:
    m->number = REPLY_ACK | (keeps_record ? INFLIGHT_SHMFD : 0);
    m->size = 8;
    return 1;
  case SET_MEM_TABLE:
    map_memory(m, fds);
    break;
  case SET_VRING_NUM:
    ring_size = m->state[1];
    break;
  case SET_VRING_BASE:
    next = (uint16_t)m->state[1];
    break;
  case SET_VRING_ADDR:
    descriptors = m->address.descriptors;
    available = m->address.available;
    used = m->address.used;
    break;
  case SET_VRING_KICK:
    put_fd(&kick, fds[0]);
    break;
  case SET_VRING_CALL:
    put_fd(&call, fds[0]);
    break;
  case SET_VRING_ENABLE:
    enabled = (int)m->state[1];
    if (enabled)
      go_on();
    break;
  case GET_INFLIGHT_FD:
    *fd = make_record(m);
    return 1;
  case SET_INFLIGHT_FD:
    map_record(m, fds[0]);
    break;
  case GET_VRING_BASE:
    enabled = 0;
    put_fd(&kick, -1);
    m->state[1] = next;
    return 1;
  default:
    break;
  }
  m->number = 0;
  m->size = 8;
  return (m->flags & NEED_REPLY) != 0;
}

static int take(void *to, size_t size, int *fds) {
  for (size_t done = 0; done < size;) {
    union {
      struct cmsghdr align;
      char bytes[CMSG_SPACE(REGIONS * sizeof(int))];
    } control;
    struct iovec iov = {(char *)to + done, size - done};
    struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
    ssize_t got = recvmsg(connection, &header, 0);
    if (got <= 0)
      return 0;
    struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
    if (rights)
      memcpy(fds, CMSG_DATA(rights), rights->cmsg_len - CMSG_LEN(0));
    done += (size_t)got;
  }
  return 1;
}

static void converse(void) {
  Message m;
  int fds[REGIONS], fd = -1;
  union {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int))];
  } control = {0};

  if (!take(&m, 12, fds) || m.size > sizeof m.bytes || !take(m.bytes, m.size, fds)) {
    put_fd(&connection, -1);
    put_fd(&kick, -1);
    enabled = 0;
    return;
  }
  uint32_t request = m.request;
  if (!handle(&m, fds, &fd))
    return;
  m.request = request;
  m.flags = VERSION | REPLY;
  struct iovec parts[2] = {{&m, 12}, {m.bytes, m.size}};
  struct msghdr header = {.msg_iov = parts, .msg_iovlen = 2};
  if (fd >= 0) {
    header.msg_control = control.bytes;
    header.msg_controllen = sizeof control.bytes;
    struct cmsghdr *rights = CMSG_FIRSTHDR(&header);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(rights), &fd, sizeof fd);
  }
  if (sendmsg(connection, &header, MSG_NOSIGNAL) < 0)
    perror("answer");
  put_fd(&fd, -1);
}

int main(int argc, char **argv) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};

  keeps_record = argc == 4 && strcmp(argv[3], "inflight") == 0;
  if (argc != 3 + keeps_record || strlen(argv[1]) >= sizeof address.sun_path) {
    fprintf(stderr, "usage: rng-back-end PATH BYTE [inflight]\n");
    return 2;
  }
  fill = atoi(argv[2]);
  strcpy(address.sun_path, argv[1]);
  unlink(argv[1]);
  int listener = socket(AF_UNIX, SOCK_STREAM, 0);
  if (bind(listener, (const struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 1) < 0)
    fail(argv[1]);
  while (1) {
    struct pollfd fds[] = {{connection < 0 ? listener : -1, POLLIN, 0}, {connection, POLLIN, 0}, {enabled ? kick : -1, POLLIN, 0}};
    poll(fds, 3, -1);
    if (fds[0].revents)
      connection = accept(listener, NULL, NULL);
    if (fds[1].revents)
      converse();
    if (fds[2].revents && enabled)
      serve();
  }
}
