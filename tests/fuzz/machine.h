/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole machine for a target to drive: the board's devices behind its bus, guest memory, a clock that the target
 * moves, and hosts at the other ends: a console, another machine's card, sockets. All that is the host's is anew for
 * each input.
 */
#pragma once

#include <errno.h>
#include <glib/gstdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "devices/fw-cfg.h"
#include "devices/virtio/console-ports.h"
#include "tests/fuzz/wiring.h"
#include "vmm/machine/items.h"
#include "vmm/machine/platform-null.h"

#define RAM_BASE  UINT64_C(0x40000000)
#define RAM_SIZE  0x40000u
#define DISK_SIZE 0x10000u
#define TIMERS    16

#define VARIABLES_SIZE 0x40000u

#define MACHINE_PORT 1 /* of the host, at which somebody listens */

/* Time. */

struct ClockTimer {
  struct FuzzClock *clock;
  void (*expired)(void *opaque);
  void *opaque;
  int64_t deadline; /* INT64_MAX: not armed */
};

typedef struct FuzzClock {
  Clock base;
  int64_t now;
  ClockTimer *timers[TIMERS];
} FuzzClock;

static inline int64_t clock_now(Clock *clock) {
  return ((FuzzClock *)clock)->now;
}

static inline ClockTimer *clock_timer_new(Clock *base, void (*expired)(void *opaque), void *opaque) {
  FuzzClock *clock = (FuzzClock *)base;
  ClockTimer *timer = g_new0(ClockTimer, 1);
  unsigned i = 0;

  *timer = (ClockTimer){.clock = clock, .expired = expired, .opaque = opaque, .deadline = INT64_MAX};
  while (clock->timers[i])
    g_assert_cmpuint(++i, <, TIMERS);
  clock->timers[i] = timer;
  return timer;
}

static inline void clock_timer_arm(ClockTimer *timer, int64_t deadline) {
  timer->deadline = deadline;
}

static inline void clock_timer_free(ClockTimer *timer) {
  for (unsigned i = 0; timer && i < TIMERS; i++)
    if (timer->clock->timers[i] == timer)
      timer->clock->timers[i] = NULL;
  g_free(timer);
}

static const ClockOps clock_ops = {clock_now, clock_timer_new, clock_timer_arm, clock_now, clock_timer_new, clock_timer_free};

static inline void clock_advance(FuzzClock *clock, uint64_t ns) {
  clock->now += (int64_t)ns;
  for (unsigned i = 0; i < TIMERS; i++) {
    ClockTimer *timer = clock->timers[i];
    if (!timer || timer->deadline > clock->now)
      continue;
    timer->deadline = INT64_MAX;
    timer->expired(timer->opaque);
  }
}

/* Messages of interrupts: each route can be set, and sent. */

struct MsiRoute {
  bool set;
};

static inline MsiRoute *route_new(MsiController *controller, uint32_t device_id) {
  return g_new0(MsiRoute, 1);
}

static inline void route_set(MsiRoute *route, uint64_t address, uint32_t data) {
  route->set = true;
}

static inline void route_signal(MsiRoute *route) {
}

static inline void route_free(MsiRoute *route) {
  g_free(route);
}

static inline bool route_attach(MsiRoute *route, int fd) {
  g_assert_true(route->set);
  return fd & 1;
}

static inline void route_detach(MsiRoute *route, int fd) {
}

static const MsiControllerOps route_ops = {route_new, route_set, route_signal, route_free, route_attach, route_detach};

/* Who reads the console: everything, or nothing for a while. */

typedef struct {
  CharBackend base;
  int full; /* atomic */
} FuzzConsole;

static inline size_t console_write(CharBackend *backend, const uint8_t *bytes, size_t size) {
  return __atomic_load_n(&((FuzzConsole *)backend)->full, __ATOMIC_SEQ_CST) ? size / 2 : size;
}

static inline void console_ignore(CharBackend *backend) {
}

static const CharBackendOps console_ops = {console_write, console_ignore, console_ignore};

static inline void console_say(FuzzConsole *console, const uint8_t *bytes, size_t size) {
  const CharFrontend *frontend = console->base.frontend;
  size_t room = frontend ? frontend->room(console->base.opaque) : 0;

  if (room && size)
    frontend->receive(console->base.opaque, bytes, MIN(room, size));
}

static inline void console_set_full(FuzzConsole *console, bool full) {
  bool was = __atomic_exchange_n(&console->full, full, __ATOMIC_SEQ_CST);

  if (was && !full && console->base.frontend)
    console->base.frontend->writable(console->base.opaque);
}

/* The machine. */

typedef struct {
  Config *config;
  Board *board;
  NullWiring wiring;
  MsiController msi;
  FuzzClock clock;
  FuzzShortcuts shortcuts;
  FuzzDoorbells doorbells;
  FuzzNetworks networks;
  FuzzConsole console, port;
  VirtioConsolePort ports[1];
  VirtioConsolePortSet set;
  GuestMemory memory;
  uint8_t *ram;
  Platform *platform;
  FuzzFile disk, variables;
  char *directory;  /* of sockets */
  int wire, stream; /* the card's peer, somebody with a socket of the guest's; -1: none */
  int listener;     /* of the host, at port MACHINE_PORT */
} FuzzMachine;

static inline Config *machine_config(const char *arguments) {
  g_auto(GStrv) argv = g_strsplit(arguments, " ", -1);
  g_autoptr(GError) error = NULL;
  bool help = false;
  Config *config = config_parse((int)g_strv_length(argv), argv, &help, &error);

  g_assert_no_error(error);
  return config;
}

static inline void machine_wire(FuzzMachine *machine, bool direct) {
  null_wiring_init(&machine->wiring);
  null_wiring_set_cpu(&machine->wiring, config_cpu(machine->config));
  machine->msi.ops = &route_ops;
  machine->clock = (FuzzClock){.base = {&clock_ops}, .now = INT64_C(1700000000) * 1000000000};
  machine->console.base.ops = machine->port.base.ops = &console_ops;
  machine->ports[0] = (VirtioConsolePort){"port", &machine->port.base};
  machine->set = (VirtioConsolePortSet){.ports = machine->ports, .n = 1};
  DeviceParts *parts = &machine->wiring.wiring.parts;
  parts->plan_only = false;
  parts->msi = &machine->msi;
  parts->clock = &machine->clock.base;
  parts->console = &machine->console.base;
  parts->ports = &machine->set;
  parts->memory = &machine->memory;
  parts->user_networks = &machine->networks.base;
  shortcuts_init(&machine->shortcuts);
  machine->doorbells.base = (Doorbells){doorbells_attach, doorbells_detach};
  networks_init(&machine->networks);
  if (direct) {
    machine->wiring.wiring.shortcuts = &machine->shortcuts.base;
    machine->wiring.wiring.doorbells = &machine->doorbells.base;
  }
}

static inline struct sockaddr_un machine_address(const FuzzMachine *machine, const char *name) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};

  g_snprintf(address.sun_path, sizeof address.sun_path, "%s/%s", machine->directory, name);
  return address;
}

/* Where the guest finds somebody of the host's: devices/backend/vsock-hybrid.h. */
static inline void machine_listen(FuzzMachine *machine) {
  const struct sockaddr_un address = machine_address(machine, "vsock_" G_STRINGIFY(MACHINE_PORT));

  machine->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  g_assert_cmpint(bind(machine->listener, (const struct sockaddr *)&address, sizeof address), ==, 0);
  g_assert_cmpint(listen(machine->listener, 4), ==, 0);
}

/* What a machine is: @ in the arguments is a disk's file, $ one of variables, % the directory of sockets. */
typedef struct {
  const char *arguments;
  GicVersion gic;
  bool direct; /* reads and doorbells need not visit userspace */
} FuzzMachineKind;

static inline void machine_init(FuzzMachine *machine, const FuzzMachineKind *kind) {
  g_autoptr(GError) error = NULL;

  *machine = (FuzzMachine){.wire = -1, .stream = -1};
  fuzz_file_init(&machine->disk, NULL, 0);
  g_assert_cmpint(ftruncate(machine->disk.fd, DISK_SIZE), ==, 0);
  fuzz_file_init(&machine->variables, NULL, 0);
  g_assert_cmpint(ftruncate(machine->variables.fd, VARIABLES_SIZE), ==, 0);
  machine->directory = g_dir_make_tmp("eret-fuzz-XXXXXX", NULL);
  machine_listen(machine);
  g_autoptr(GString) text = g_string_new(kind->arguments);
  g_string_replace(text, "@", machine->disk.path, 0);
  g_string_replace(text, "$", machine->variables.path, 0);
  g_string_replace(text, "%", machine->directory, 0);
  machine->config = machine_config(text->str);
  machine->config->ports = true;
  machine_wire(machine, kind->direct);
  machine->ram = aligned_alloc(4096, RAM_SIZE);
  memset(machine->ram, 0, RAM_SIZE);
  g_assert_true(guest_memory_add(&machine->memory, RAM_BASE, RAM_SIZE, machine->ram));
  machine->board = board_new(machine->config, kind->gic, &error);
  g_assert_no_error(error);
  machine->platform = platform_new(machine->board, &machine->wiring.wiring, &error);
  g_assert_no_error(error);
  Device *items = platform_find(machine->platform, &fw_cfg_kind);
  if (items) {
    g_autoptr(GPtrArray) asked = items_read(machine->config, NULL);
    fw_cfg_set_items(items, items_new(machine->board, asked));
  }
}

static inline void machine_clear(FuzzMachine *machine) {
  platform_free(machine->platform);
  board_free(machine->board);
  networks_clear(&machine->networks);
  null_wiring_clear(&machine->wiring);
  config_free(machine->config);
  free(machine->ram);
  fuzz_file_clear(&machine->disk);
  fuzz_file_clear(&machine->variables);
  if (machine->wire >= 0)
    close(machine->wire);
  if (machine->stream >= 0)
    close(machine->stream);
  close(machine->listener);
  g_unlink(machine_address(machine, "wire").sun_path);
  g_unlink(machine_address(machine, "vsock_" G_STRINGIFY(MACHINE_PORT)).sun_path);
  g_rmdir(machine->directory);
  g_free(machine->directory);
}

/* An access of the guest's, by the way that it takes. */
static inline void machine_write(FuzzMachine *machine, uint64_t address, unsigned size, uint64_t value) {
  if (!doorbells_ring(&machine->doorbells, address, size, value))
    bus_write(machine->platform->bus, address, size, value);
}

/* What can be had without a visit to the device is what it answers. */
static inline uint64_t machine_read(FuzzMachine *machine, uint64_t address, unsigned size) {
  const uint8_t *mapped = address % size == 0 ? shortcuts_find(&machine->shortcuts, address, size) : NULL;
  uint64_t loaded = 0;

  if (mapped)
    memcpy(&loaded, mapped, size);
  uint64_t value = bus_read(machine->platform->bus, address, size);
  g_assert_true(!mapped || value == loaded);
  return value;
}

/* A stream to the socket NAME of the machine's; -1: nobody listens. */
static inline int machine_connect(const FuzzMachine *machine, const char *name) {
  const struct sockaddr_un address = machine_address(machine, name);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

  if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
    return fd;
  close(fd);
  return -1;
}

static inline void machine_say(int fd, const void *bytes, size_t size) {
  if (fd >= 0 && send(fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
    g_assert_cmpint(errno, !=, EBADF);
}

static inline void nothing(void *opaque) {
}

/* What the guest has asked of DEVICE is done, unless somebody else's time is in it. */
static inline void machine_settle(VirtioDevice *device) {
  for (unsigned turn = 0; turn < 2 && device->started; turn++) {
    io_thread_call(device->io, nothing, NULL);
    for (unsigned i = 0; i < device->n_queues; i++)
      if (device->queues[i].running && device->ops->io && device->ops->io(device, i) != device->io)
        io_thread_call(device->ops->io(device, i), nothing, NULL);
  }
  while (g_main_context_iteration(NULL, FALSE))
    ;
}
