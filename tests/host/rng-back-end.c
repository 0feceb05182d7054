/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A vhost-user back end for tests: a virtio entropy device (virtio 1.2, 5.4) of one queue that fills buffers with one
 * byte, so that who reads knows where they come from. QEMU: docs/interop/vhost-user.rst. It shares no code with what it
 * tests, trusts its front end, and serves one at a time, one after the other.
 *
 *   rng-back-end PATH BYTE        BYTE: a number
 */
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
enum { VERSION = 1, REPLY = 4, NEED_REPLY = 8, REPLY_ACK = 1 << 3, REGIONS = 8 };
#define FEATURES (UINT64_C(1) << 32 | UINT64_C(1) << 30) /* VERSION_1, PROTOCOL_FEATURES */

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
    uint8_t bytes[512];
  };
} Message;

static struct {
  uint64_t guest, user, size;
  uint8_t *here;
} regions[REGIONS];
static uint32_t n_regions, ring_size;
static uint16_t next;
static uint64_t descriptors, used, available;
static int kick = -1, call = -1, enabled, connection = -1, fill;

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

static void serve(void) {
  uint64_t count;
  uint16_t *avail = find(available, 0), *used_ring = find(used, 0);
  int any = 0;

  if (read(kick, &count, sizeof count) < 0)
    return;
  while (next != __atomic_load_n(&avail[1], __ATOMIC_ACQUIRE)) {
    uint16_t head = avail[2 + next % ring_size];
    const uint8_t *descriptor = (const uint8_t *)find(descriptors, 0) + 16 * head;
    uint64_t address;
    uint32_t size, element[2];
    memcpy(&address, descriptor, sizeof address);
    memcpy(&size, descriptor + 8, sizeof size);
    memset(find(address, 1), fill, size);
    element[0] = head;
    element[1] = size;
    memcpy((uint8_t *)used_ring + 4 + 8 * (next % ring_size), element, sizeof element);
    next++;
    __atomic_store_n(&used_ring[1], next, __ATOMIC_RELEASE);
    any = 1;
  }
  count = 1;
  if (any && write(call, &count, sizeof count) < 0)
    fail("call");
}

/* True: M is the answer. */
static int handle(Message *m, const int *fds) {
  switch (m->request) {
  case GET_FEATURES:
    m->number = FEATURES;
    m->size = 8;
    return 1;
  case GET_PROTOCOL_FEATURES:
    m->number = REPLY_ACK;
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
  int fds[REGIONS];

  if (!take(&m, 12, fds) || m.size > sizeof m.bytes || !take(m.bytes, m.size, fds)) {
    put_fd(&connection, -1);
    put_fd(&kick, -1);
    enabled = 0;
    return;
  }
  uint32_t request = m.request;
  if (!handle(&m, fds))
    return;
  m.request = request;
  m.flags = VERSION | REPLY;
  struct iovec parts[2] = {{&m, 12}, {m.bytes, m.size}};
  struct msghdr header = {.msg_iov = parts, .msg_iovlen = 2};
  if (sendmsg(connection, &header, MSG_NOSIGNAL) < 0)
    perror("answer");
}

int main(int argc, char **argv) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};

  if (argc != 3 || strlen(argv[1]) >= sizeof address.sun_path) {
    fprintf(stderr, "usage: rng-back-end PATH BYTE\n");
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
