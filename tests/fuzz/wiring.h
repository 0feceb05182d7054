/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a machine of a target is wired to beside interrupts and time: reads and doorbells that need no visit to
 * userspace, as KVM has them, and a program that gives it a network.
 */
#pragma once

#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "devices/shortcuts.h"
#include "devices/user-network.h"
#include "tests/fuzz/fuzz.h"
#include "vmm/machine/platform.h"

#define WIRING_MAPS  64
#define WIRING_BELLS 64

/* Reads: what is mapped is what the device answers. */

typedef struct {
  Shortcuts base;
  struct {
    uint64_t address;
    size_t size; /* 0: free */
    const uint8_t *bytes;
  } maps[WIRING_MAPS];
} FuzzShortcuts;

/* What a guest that loads SIZE bytes at ADDRESS would find without a visit to the device; NULL: it has to. */
static inline const uint8_t *shortcuts_find(const FuzzShortcuts *shortcuts, uint64_t address, unsigned size) {
  for (unsigned i = 0; i < WIRING_MAPS; i++)
    if (address - shortcuts->maps[i].address < shortcuts->maps[i].size &&
        shortcuts->maps[i].size - (address - shortcuts->maps[i].address) >= size)
      return shortcuts->maps[i].bytes + (address - shortcuts->maps[i].address);
  return NULL;
}

static inline bool shortcuts_map(Shortcuts *base, uint64_t address, size_t size, const void *bytes) {
  FuzzShortcuts *shortcuts = (FuzzShortcuts *)base;

  g_assert_cmphex((address | size | (uintptr_t)bytes) % base->page_size, ==, 0);
  for (unsigned i = 0; i < WIRING_MAPS; i++) {
    if (shortcuts->maps[i].size)
      continue;
    shortcuts->maps[i].address = address;
    shortcuts->maps[i].size = size;
    shortcuts->maps[i].bytes = bytes;
    return true;
  }
  return false;
}

static inline void shortcuts_unmap(Shortcuts *base, uint64_t address) {
  FuzzShortcuts *shortcuts = (FuzzShortcuts *)base;

  for (unsigned i = 0; i < WIRING_MAPS; i++)
    if (shortcuts->maps[i].size && shortcuts->maps[i].address == address)
      shortcuts->maps[i].size = 0;
}

static inline void shortcuts_defer(Shortcuts *base, uint64_t address, unsigned size, DeferFor how_long) {
}

static inline void shortcuts_undefer(Shortcuts *base, uint64_t address) {
}

static inline bool shortcuts_is_catching_up(Shortcuts *base) {
  return false;
}

static inline void shortcuts_init(FuzzShortcuts *shortcuts) {
  *shortcuts = (FuzzShortcuts){.base = {(size_t)sysconf(_SC_PAGESIZE), shortcuts_map, shortcuts_unmap, shortcuts_defer, shortcuts_undefer,
                                        shortcuts_is_catching_up}};
}

/* Doorbells. */

typedef struct {
  uint64_t address;
  unsigned size;
  bool match;
  uint32_t value;
  int fd;
} FuzzBell;

typedef struct {
  Doorbells base;
  unsigned n;
  FuzzBell bells[WIRING_BELLS];
} FuzzDoorbells;

static inline bool doorbells_attach(Doorbells *base, uint64_t address, unsigned size, bool match, uint32_t value, int fd) {
  FuzzDoorbells *doorbells = (FuzzDoorbells *)base;

  if (doorbells->n == WIRING_BELLS)
    return false;
  doorbells->bells[doorbells->n++] = (FuzzBell){address, size, match, value, fd};
  return true;
}

static inline void doorbells_detach(Doorbells *base, uint64_t address, unsigned size, bool match, uint32_t value, int fd) {
  FuzzDoorbells *doorbells = (FuzzDoorbells *)base;

  for (unsigned i = 0; i < doorbells->n; i++) {
    const FuzzBell *bell = &doorbells->bells[i];
    if (bell->address != address || bell->size != size || bell->match != match || bell->value != value || bell->fd != fd)
      continue;
    doorbells->bells[i] = doorbells->bells[--doorbells->n];
    return;
  }
  g_assert_not_reached(); /* it is undone what was done */
}

/* Whether the write rang one. */
static inline bool doorbells_ring(const FuzzDoorbells *doorbells, uint64_t address, unsigned size, uint64_t value) {
  for (unsigned i = 0; i < doorbells->n; i++) {
    const FuzzBell *bell = &doorbells->bells[i];
    if (bell->address != address || (bell->size && bell->size != size) || (bell->match && bell->value != value))
      continue;
    eventfd_write(bell->fd, 1);
    return true;
  }
  return false;
}

/* A program that gives the machine a network. One card has it. */

typedef struct {
  UserNetworks base;
  Helper helper;
  int theirs; /* the program's end of the connection; -1: there is none */
  int ours;   /* not taken yet */
} FuzzNetworks;

static inline void networks_connect(FuzzNetworks *networks) {
  const int room = 4096; /* that more than a few frames do not fit */
  int pair[2];

  if (networks->theirs >= 0)
    close(networks->theirs);
  if (networks->ours >= 0)
    close(networks->ours);
  g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), ==, 0);
  setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
  networks->ours = pair[0];
  networks->theirs = pair[1];
  eventfd_write(networks->helper.event_fd, 1);
}

static inline FuzzNetworks *networks_of(Helper *helper) {
  return (FuzzNetworks *)((char *)helper - offsetof(FuzzNetworks, helper));
}

static inline int networks_take(Helper *helper) {
  FuzzNetworks *networks = networks_of(helper);
  int taken = networks->ours;
  eventfd_t count;

  networks->ours = -1;
  eventfd_read(helper->event_fd, &count);
  return taken;
}

static inline void networks_renew(Helper *helper) {
  networks_connect(networks_of(helper));
}

static inline void networks_end(Helper *helper) {
}

static inline UserNetwork *networks_start(UserNetworks *base, const UserNetworkWish *wish, GError **error) {
  static const uint16_t ports[] = {53, 123};
  UserNetwork *network = g_new0(UserNetwork, 1);

  *network = (UserNetwork){.helper = &((FuzzNetworks *)base)->helper, .udp_ports = g_memdup2(ports, sizeof ports), .n_udp_ports = 2};
  networks_connect((FuzzNetworks *)base);
  return network;
}

static inline void networks_init(FuzzNetworks *networks) {
  static const HelperOps ops = {networks_take, networks_renew, networks_end};

  *networks = (FuzzNetworks){
      .base = {.start = networks_start},
      .helper = {&ops, "network", eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)},
      .theirs = -1,
      .ours = -1,
  };
}

static inline void networks_clear(FuzzNetworks *networks) {
  if (networks->theirs >= 0)
    close(networks->theirs);
  if (networks->ours >= 0)
    close(networks->ours);
  close(networks->helper.event_fd);
}
