/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest that does anything: the input is a list of what it, and the world around it, does to a whole machine of each
 * kind: accesses of all widths, drivers that start virtio devices on either transport, requests of each type and chains
 * of right and wrong descriptors, resets, time. That goes deep, as what has to be right for anything to happen is right
 * by itself, unless the input says otherwise.
 */
#pragma once

#include "devices/pl011.h"
#include "devices/pl031.h"
#include "devices/pl061.h"
#include "devices/sp805.h"
#include "devices/vmgenid.h"
#include "tests/fuzz/driver.h"

#define STEPS 64

typedef struct {
  FuzzMachine machine;
  FuzzInput *input;
} Fixture;

static inline bool often(Fixture *f) {
  return fuzz_below(f->input, 8) != 7;
}

static inline Driver any_driver(Fixture *f) {
  return driver_of(&f->machine, fuzz_below(f->input, driver_count(&f->machine)));
}

/* The same, of one that runs. */
static inline Driver any_running(Fixture *f) {
  Driver driver = any_driver(f);

  if (!driver.device->started)
    driver_start(&driver, 0, 0, QUEUE_SIZE);
  return driver;
}

static inline void place_bars(Fixture *f) {
  for (unsigned i = 0; i < driver_count(&f->machine); i++) {
    Driver driver = driver_of(&f->machine, i);
    driver_place_bar(&driver);
  }
}

/* Accesses. */

typedef struct {
  uint64_t address;
  unsigned size;
} Access;

/* The offset of one of DEVICE's registers: the first from AT on that has a name. */
static inline uint64_t named_offset(const Device *device, uint64_t size, uint64_t at) {
  for (uint64_t i = 0; device->ops->register_name && i < MIN(size, 0x1000); i += 4) {
    uint64_t offset = (at + i) % size & ~UINT64_C(3);
    if (device->ops->register_name(device, offset))
      return offset;
  }
  return at % MAX(size, 1);
}

/* One that a device is made for, most often: of 32 bits, aligned, near the start of its registers, or where one is. */
static inline Access any_access(Fixture *f) {
  static const unsigned sizes[] = {4, 4, 4, 1, 2, 8};
  const GArray *devices = f->machine.platform->devices;
  const PlatformDevice *made = &g_array_index(devices, PlatformDevice, fuzz_below(f->input, devices->len));
  unsigned size = sizes[fuzz_below(f->input, G_N_ELEMENTS(sizes))], what = fuzz_below(f->input, 16);
  uint64_t offset = what < 12 ? fuzz_number(f->input, 1) % 80 * size : fuzz_number(f->input, 2);

  if (what >= 13 && made->device)
    return (Access){made->plan->slot.base + named_offset(made->device, made->plan->slot.size, offset), size};
  if (made->virtio && on_pci(made) && what & 1)
    return (Access){function_of(made) + (offset & 0xfff), size};
  if (made->virtio && on_pci(made))
    return (Access){base_of(made) + (what & 6) * 0x2000u + offset % 0x2000, size};
  return (Access){base_of(made) + offset % (made->virtio ? 0x200 : MAX(made->plan->slot.size, 1)), size};
}

static inline void access_read(Fixture *f) {
  Access access = any_access(f);

  machine_read(&f->machine, access.address, access.size);
}

static inline void access_write(Fixture *f) {
  Access access = any_access(f);

  machine_write(&f->machine, access.address, access.size, fuzz_number(f->input, access.size));
}

/* What a driver writes so that something comes of the rest; and then what it likes. */
static inline void set_register(Fixture *f) {
  static const struct {
    const DeviceKind *kind;
    uint16_t offset;
    uint32_t value;
  } known[] = {
      {&pl011_kind, 0x30, 0x301},       {&pl011_kind, 0x30, 0x381},                             /* UARTCR: enabled; and looped back */
      {&pl011_kind, 0x2c, 0x70},        {&pl011_kind, 0x38, 0x7ff},                             /* UARTLCR_H: FIFOs; UARTIMSC */
      {&pl011_kind, 0x34, 0x12},                                                                /* UARTIFLS */
      {&sp805_kind, 0xc00, 0x1acce551}, {&sp805_kind, 0x00, 100},   {&sp805_kind, 0x08, 3},     /* WDOGLOCK, WDOGLOAD, WDOGCONTROL */
      {&sp805_kind, 0x0c, 1},           {&sp805_kind, 0xc00, 1},                                /* WDOGINTCLR; locked */
      {&pl061_kind, 0x410, 0xff},       {&pl061_kind, 0x408, 0xff}, {&pl061_kind, 0x404, 0xff}, /* GPIOIE, GPIOIBE, GPIOIS */
      {&pl061_kind, 0x41c, 0xff},                                                               /* GPIOIC */
      {&pl031_kind, 0x10, 1},           {&pl031_kind, 0x1c, 1},     {&pl031_kind, 0x0c, 1},     /* RTCIMSC, RTCICR, RTCCR */
  };
  unsigned which = fuzz_below(f->input, G_N_ELEMENTS(known));
  uint32_t value = often(f) ? known[which].value : (uint32_t)fuzz_number(f->input, 4);

  for (unsigned i = 0; i < f->machine.platform->devices->len; i++) {
    const PlatformDevice *made = &g_array_index(f->machine.platform->devices, PlatformDevice, i);
    if (made->plan->kind == known[which].kind)
      machine_write(&f->machine, made->plan->slot.base + known[which].offset, 4, value);
  }
}

/* Flash takes commands: some, and a word. */
static inline void access_flash(Fixture *f) {
  static const uint8_t commands[] = {0x10, 0x20, 0x40, 0x50, 0x60, 0x70, 0x90, 0x98, 0xe8, 0xff, 0xd0, 0x01, 0x2f, 0xc0};
  unsigned block = fuzz_below(f->input, 256); /* of two banks */
  uint64_t address = (block & 127) * UINT64_C(0x40000) + (block & 128) * UINT64_C(0x80000) + fuzz_number(f->input, 1) * 4;

  for (unsigned n = fuzz_below(f->input, 6); n-- > 0;) {
    unsigned what = fuzz_below(f->input, 2 * G_N_ELEMENTS(commands));
    uint64_t value = what < G_N_ELEMENTS(commands) ? commands[what] * UINT64_C(0x10001) : fuzz_number(f->input, 4);
    machine_write(&f->machine, address, 4, value);
    machine_read(&f->machine, address, 4);
  }
}

static inline void write_memory(Fixture *f) {
  uint32_t at = (uint32_t)fuzz_number(f->input, 3) % RAM_SIZE, n = (uint32_t)fuzz_number(f->input, 1);
  size_t size;
  const uint8_t *bytes = fuzz_bytes(f->input, MIN(RAM_SIZE - at, n), &size);

  if (size)
    memcpy(f->machine.ram + at, bytes, size);
}

/* Drivers. */

static inline void start_driver(Fixture *f) {
  Driver driver = any_driver(f);
  uint64_t without = often(f) ? UINT64_C(1) << fuzz_below(f->input, 64) : fuzz_number(f->input, 4);
  unsigned left_out = often(f) ? 0 : (unsigned)fuzz_number(f->input, 1);

  driver_start(&driver, without, left_out, often(f) ? QUEUE_SIZE : 1u << fuzz_below(f->input, 10));
}

/* A field of the common configuration, as wide as it is: virtio 1.2, 4.1.4.3. */
static inline void access_common(Fixture *f) {
  static const struct {
    uint8_t offset, size;
  } fields[] = {{0x00, 4}, {0x04, 4}, {0x08, 4}, {0x0c, 4}, {0x10, 2}, {0x12, 2}, {0x14, 1}, {0x15, 1}, {0x16, 2}, {0x18, 2}, {0x1a, 2},
                {0x1c, 2}, {0x1e, 2}, {0x20, 4}, {0x24, 4}, {0x28, 4}, {0x2c, 4}, {0x30, 4}, {0x34, 4}, {0x38, 2}, {0x3a, 2}};
  Driver driver = any_driver(f);
  unsigned which = fuzz_below(f->input, 2 * G_N_ELEMENTS(fields));
  uint64_t address = base_of(driver.made) + 0x4000 + fields[which / 2].offset;

  if (!on_pci(driver.made))
    return;
  if (which & 1)
    machine_write(&f->machine, address, fields[which / 2].size, fuzz_number(f->input, 2));
  else
    machine_read(&f->machine, address, fields[which / 2].size);
  machine_settle(driver.device);
}

/* MSI-X on or off, and an entry of its table. */
static inline void set_messages(Fixture *f) {
  Driver driver = any_driver(f);
  Bus *bus = bus_of(&driver);
  uint64_t function = function_of(driver.made), entry = base_of(driver.made) + 0x8000 + 16 * fuzz_below(f->input, 4);

  if (!on_pci(driver.made))
    return;
  uint64_t at = bus_read(bus, function + 0x34, 1);
  for (unsigned i = 0; i < 16 && at && bus_read(bus, function + at, 1) != 0x11; i++)
    at = bus_read(bus, function + at + 1, 1);
  bus_write(bus, function + at + 2, 2, often(f) ? 0x8000 : (fuzz_number(f->input, 1) & 3) << 14);
  bus_write(bus, entry, 4, fuzz_number(f->input, 1) << 4);
  bus_write(bus, entry + 8, 4, fuzz_number(f->input, 1));
  bus_write(bus, entry + 12, 4, fuzz_number(f->input, 1) & 1);
}

/*
 * A chain of anything: for each descriptor what it is like, how long it is, and, of one to be read, what is in it. A
 * few are at wrong addresses, or lead back.
 */
static inline void send_chain(Fixture *f) {
  Driver driver = any_running(f);
  unsigned queue = fuzz_below(f->input, driver.device->n_queues), how = fuzz_below(f->input, 256), n = 1 + fuzz_below(f->input, 6);
  Chain chain = chain_begin(&driver, queue, how & 1);

  for (unsigned i = 0; i < n; i++) {
    unsigned what = fuzz_below(f->input, 256);
    uint32_t length = (uint32_t)fuzz_number(f->input, what & 8 ? 2 : 1);
    size_t got = 0;
    const uint8_t *bytes = what & 1 ? NULL : fuzz_bytes(f->input, MIN(length, BUFFER), &got);
    chain_add(&chain, what >= 250 ? RAM_BASE + (UINT64_C(1) << (what - 210)) : 0, length, what & 1 ? WRITE : 0, bytes, got);
  }
  if (how >= 250)
    chain.head = (uint16_t)fuzz_number(f->input, 2);
  if (how & 2)
    *driver_word(&driver, queue, DRIVER, 2 + chain.size) = (uint16_t)(how >> 2); /* used_event */
  chain_send(&chain);
}

/* As many buffers for the device to fill as there is room for. */
static inline void give_buffers(Fixture *f) {
  Driver driver = any_running(f);
  unsigned queue = fuzz_below(f->input, driver.device->n_queues), size = MIN(driver.device->queues[queue].config.size, QUEUE_SIZE);
  uint32_t length = often(f) ? BUFFER : (uint32_t)fuzz_number(f->input, 1);
  uint8_t *table = driver_at(&driver, driver_rings(&driver, queue));

  for (unsigned i = 0; i < size; i++) {
    put_descriptor(table + 16 * i, RAM_BASE + BUFFERS + i * BUFFER, length, WRITE, 0);
    chain_offer(&driver, queue, size, (uint16_t)i);
  }
  driver_kick(&driver, queue);
}

/* virtio 1.2, 5.2.6: a header, data, a byte for the status. */
static inline void send_blk(Fixture *f, const Driver *driver) {
  static const uint32_t types[] = {0, 1, 4, 8, 11, 13, 0, 1};
  unsigned what = fuzz_below(f->input, 256), n = fuzz_below(f->input, 4);
  uint32_t header[] = {what < 240 ? types[what % 8] : what, 0, (uint32_t)fuzz_number(f->input, 1), what == 239};
  bool reads = header[0] == 0 || header[0] == 8;
  Chain chain = chain_begin(driver, fuzz_below(f->input, driver->device->n_queues), what & 8);

  chain_add(&chain, 0, what == 238 ? 8 : 16, 0, header, sizeof header);
  for (unsigned i = 0; i < n; i++) {
    uint32_t length =
        often(f) ? (uint32_t)(1 + fuzz_below(f->input, 8)) * (header[0] >= 11 ? 16 : 512) : (uint32_t)fuzz_number(f->input, 2);
    size_t got = 0;
    const uint8_t *bytes = reads ? NULL : fuzz_bytes(f->input, MIN(length, 64), &got);
    chain_add(&chain, 0, length, reads ? WRITE : 0, bytes, got);
  }
  chain_add(&chain, 0, 1, WRITE, NULL, 0);
  chain_send(&chain);
}

/* virtio 1.2, 5.1.6.2: a header before each frame; 5.1.6.5: a class and a command of control. */
static inline void send_net(Fixture *f, const Driver *driver) {
  static const uint8_t gso[] = {0, 0, 1, 3, 4, 0x81, 0x84, 7};
  unsigned what = fuzz_below(f->input, 256), control = driver->device->n_queues - 1;
  bool is_control = what & 1;
  Chain chain = chain_begin(driver, is_control ? control : 1, what & 2);
  uint8_t bytes[600] = {0};
  size_t got;

  if (is_control) {
    bytes[0] = (uint8_t)fuzz_below(f->input, 6);
    bytes[1] = (uint8_t)fuzz_below(f->input, 6);
  } else {
    bytes[0] = what & 4;
    bytes[1] = gso[fuzz_below(f->input, sizeof gso)];
    bytes[2] = (uint8_t)fuzz_number(f->input, 1);
    bytes[4] = (uint8_t)fuzz_number(f->input, 1);
    bytes[6] = (uint8_t)fuzz_number(f->input, 1);
    bytes[8] = (uint8_t)fuzz_number(f->input, 1);
  }
  size_t head = is_control ? 2 : 12;
  const uint8_t *rest = fuzz_bytes(f->input, fuzz_number(f->input, 1) * (what & 8 ? 2 : 1), &got);
  if (got)
    memcpy(bytes + head, rest, got);
  if (what & 16) { /* in pieces */
    chain_add(&chain, 0, (uint32_t)head, 0, bytes, head);
    chain_add(&chain, 0, (uint32_t)got, 0, bytes + head, got);
  } else {
    chain_add(&chain, 0, (uint32_t)(head + got), 0, bytes, head + got);
  }
  if (is_control)
    chain_add(&chain, 0, 1, WRITE, NULL, 0);
  else if (what & 64) /* of which a part may fit into a socket */
    chain_add(&chain, 0, BUFFER - 100, 0, NULL, 0);
  chain_send(&chain);
}

/* virtio 1.2, 5.10.6: a packet of a stream to or from the host. */
static inline void send_vsock(Fixture *f, const Driver *driver) {
  uint64_t cids[] = {3, 2};
  uint32_t ports[] = {often(f) ? 1234 : (uint32_t)fuzz_number(f->input, 4), often(f) ? 1u << 30 : fuzz_below(f->input, MACHINE_PORT + 2)};
  uint32_t length = (uint32_t)fuzz_number(f->input, 1);
  uint16_t type_op[] = {1, (uint16_t)fuzz_below(f->input, 9)};
  uint32_t rest[] = {fuzz_below(f->input, 4), often(f) ? 65536 : (uint32_t)fuzz_number(f->input, 4), (uint32_t)fuzz_number(f->input, 1)};
  Chain chain = chain_begin(driver, 1, false);
  uint8_t header[44];

  length = type_op[1] == 5 || !often(f) ? length : 0;
  if (type_op[1] == 5 && rest[0] == 3) /* as much as there is room for */
    length <<= 8;
  memcpy(header, cids, 16);
  memcpy(header + 16, ports, 8);
  memcpy(header + 24, &length, 4);
  memcpy(header + 28, type_op, 4);
  memcpy(header + 32, rest, 12);
  chain_add(&chain, 0, sizeof header, 0, header, sizeof header);
  uint32_t carried = often(f) ? length : (uint32_t)fuzz_number(f->input, 1);
  if (carried)
    chain_add(&chain, 0, carried, 0, NULL, 0);
  chain_send(&chain);
}

/* virtio 1.2, 5.3.6.2: what a console with ports is told. */
static inline void send_console(Fixture *f, const Driver *driver) {
  uint32_t port = fuzz_below(f->input, 3);
  uint16_t message[] = {(uint16_t)port, 0, (uint16_t)fuzz_below(f->input, 9), (uint16_t)fuzz_below(f->input, 2)};
  unsigned queue = driver->device->n_queues > 3 ? 3 : 1;
  Chain chain = chain_begin(driver, often(f) ? queue : fuzz_below(f->input, driver->device->n_queues), false);

  chain_add(&chain, 0, sizeof message, 0, message, sizeof message);
  chain_send(&chain);
}

static inline void send_request(Fixture *f) {
  Driver driver = any_running(f);

  if (driver.device->ops->id == VIRTIO_ID_BLOCK)
    send_blk(f, &driver);
  else if (driver.device->ops->id == VIRTIO_ID_NET)
    send_net(f, &driver);
  else if (driver.device->ops->id == VIRTIO_ID_VSOCK)
    send_vsock(f, &driver);
  else if (driver.device->ops->id == VIRTIO_ID_CONSOLE)
    send_console(f, &driver);
  else
    give_buffers(f);
}

static inline void access_config(Fixture *f) {
  Driver driver = any_driver(f);
  uint64_t at = base_of(driver.made) + (on_pci(driver.made) ? 0 : 0x100) + fuzz_number(f->input, 1) % (driver.device->ops->config_size + 8);
  unsigned size = 1u << fuzz_below(f->input, 3);

  bus_read(bus_of(&driver), at, size);
  if (fuzz_below(f->input, 2))
    bus_write(bus_of(&driver), at, size, fuzz_number(f->input, size));
  machine_settle(driver.device);
}

static inline void reset_driver(Fixture *f) {
  Driver driver = any_driver(f);

  driver_set_status(&driver, often(f) ? 0 : (unsigned)fuzz_number(f->input, 1));
}

/* Firmware's items, by a struct in memory. */
static inline void transfer_item(Fixture *f) {
  static const uint16_t keys[] = {0, 1, 5, 0x19, 0x20, 0x21, 0x22, 0x4020};
  uint32_t key = often(f) ? keys[fuzz_below(f->input, G_N_ELEMENTS(keys))] : (uint32_t)fuzz_number(f->input, 2);
  uint32_t control = GUINT32_TO_BE((uint32_t)fuzz_number(f->input, 1) | key << 16);
  uint32_t length = GUINT32_TO_BE((uint32_t)fuzz_number(f->input, 1));
  uint64_t address = GUINT64_TO_BE(RAM_BASE + fuzz_number(f->input, often(f) ? 2 : 4));

  memcpy(f->machine.ram + BUFFERS, &control, 4);
  memcpy(f->machine.ram + BUFFERS + 4, &length, 4);
  memcpy(f->machine.ram + BUFFERS + 8, &address, 8);
  bus_write(f->machine.platform->bus, 0x09020010, 8, GUINT64_TO_BE(RAM_BASE + BUFFERS));
}

/* The world around it. */

static inline void settle_all(Fixture *f) {
  for (unsigned i = 0; i < f->machine.platform->devices->len; i++) {
    const PlatformDevice *made = &g_array_index(f->machine.platform->devices, PlatformDevice, i);
    if (made->virtio)
      machine_settle(made->virtio);
  }
}

static inline void say_on_console(Fixture *f) {
  size_t size;
  unsigned what = fuzz_below(f->input, 8);
  const uint8_t *bytes = fuzz_bytes(f->input, fuzz_number(f->input, 1), &size);
  FuzzConsole *console = what & 1 ? &f->machine.port : &f->machine.console;

  if (what & 4)
    console_set_full(console, what & 2);
  else
    console_say(console, bytes, size);
  settle_all(f);
}

/* Frames come on the wire as the other machine's device sends them; or what no device sends. */
static inline void say_on_wire(Fixture *f) {
  unsigned what = fuzz_below(f->input, 4);
  size_t size;
  const uint8_t *bytes = fuzz_bytes(f->input, fuzz_number(f->input, 1), &size);
  uint32_t length = GUINT32_TO_BE((uint32_t)size);

  if (f->machine.wire < 0)
    f->machine.wire = machine_connect(&f->machine, "wire");
  if (what)
    machine_say(f->machine.wire, &length, sizeof length);
  machine_say(f->machine.wire, bytes, size);
  if (what == 3 && f->machine.wire >= 0) {
    close(f->machine.wire);
    f->machine.wire = -1;
  }
  settle_all(f);
}

static inline void say_on_socket(Fixture *f) {
  unsigned what = fuzz_below(f->input, 4);
  size_t size;
  const uint8_t *bytes = fuzz_bytes(f->input, fuzz_number(f->input, 1), &size);
  char answer[4096];

  if (f->machine.stream < 0 && what == 1) {
    f->machine.stream = accept4(f->machine.listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
  } else if (f->machine.stream < 0) {
    f->machine.stream = machine_connect(&f->machine, "vsock");
    machine_say(f->machine.stream, "CONNECT 1234\n", what == 2 ? 5 : 13);
  } else if (what == 3) {
    close(f->machine.stream);
    f->machine.stream = -1;
  } else {
    machine_say(f->machine.stream, bytes, size);
    if (what == 1 && recv(f->machine.stream, answer, sizeof answer, MSG_DONTWAIT) < 0)
      g_assert_cmpint(errno, !=, EBADF);
  }
  settle_all(f);
}

/* Frames of a user network, which its program ends, or begins anew. */
static inline void say_on_network(Fixture *f) {
  FuzzNetworks *networks = &f->machine.networks;
  unsigned what = fuzz_below(f->input, 8);
  size_t size;
  const uint8_t *bytes = fuzz_bytes(f->input, fuzz_number(f->input, 1), &size);
  uint32_t length = GUINT32_TO_BE((uint32_t)size);
  char heard[4096];

  if (what == 0 && networks->theirs >= 0) {
    close(networks->theirs);
    networks->theirs = -1;
  }
  if (what > 1)
    machine_say(networks->theirs, &length, sizeof length);
  machine_say(networks->theirs, bytes, size);
  if (what == 7 && networks->theirs >= 0 && recv(networks->theirs, heard, sizeof heard, MSG_DONTWAIT) < 0)
    g_assert_cmpint(errno, !=, EBADF);
  settle_all(f);
}

static inline void pass_time(Fixture *f) {
  clock_advance(&f->machine.clock, fuzz_number(f->input, 5));
}

static inline void stand_still(Fixture *f) {
  platform_pause(f->machine.platform);
  clock_advance(&f->machine.clock, fuzz_number(f->input, 4));
  platform_resume(f->machine.platform);
}

static inline void begin_anew(Fixture *f) {
  platform_reset(f->machine.platform);
  place_bars(f);
}

static inline void happen(Fixture *f) {
  Device *generation = platform_find(f->machine.platform, &vmgenid_kind);
  VirtioDevice *card = platform_find(f->machine.platform, &virtio_net_kind);
  VirtioDevice *port = platform_find(f->machine.platform, &virtio_console_ports_kind);
  unsigned what = fuzz_below(f->input, 8);
  uint8_t id[VMGENID_ID_SIZE] = {1, 2, 3};

  if (what < 2)
    platform_set_power_button(f->machine.platform, what);
  else if (what == 2 && generation)
    vmgenid_change(generation, id);
  else if (what < 5)
    virtio_net_set_link(card, what & 1);
  else if (what == 5)
    virtio_net_announce(card);
  else if (what == 6 && port)
    virtio_console_ports_end_input(port, 0);
  settle_all(f);
}

/* The input on a machine of one of N KINDS, by its first byte. */
static inline void board_run(const FuzzMachineKind *kinds, unsigned n, const uint8_t *data, size_t size) {
  static void (*const steps[])(Fixture *) = {access_read,    access_write, access_write,   access_flash, write_memory, start_driver,
                                             send_chain,     send_chain,   send_request,   send_request, send_request, send_request,
                                             give_buffers,   give_buffers, access_config,  reset_driver, set_messages, transfer_item,
                                             say_on_console, say_on_wire,  say_on_socket,  pass_time,    stand_still,  begin_anew,
                                             happen,         set_register, say_on_network, access_common};
  FuzzInput input = {data, size};
  const FuzzMachineKind *kind = &kinds[fuzz_below(&input, n)];
  Fixture f = {.input = &input};

  machine_init(&f.machine, kind);
  place_bars(&f);
  for (unsigned i = 0; i < STEPS && input.left; i++)
    steps[fuzz_below(&input, G_N_ELEMENTS(steps))](&f);
  settle_all(&f);
  machine_clear(&f.machine);
}
