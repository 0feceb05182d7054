/* SPDX-License-Identifier: Apache-2.0 */
/* The table of figures, in the order in which they are shown. docs/benchmarks.md says how each is measured. */
#include "tests/bench/report/figures.h"

#define COUNTED(id, group, title, unit)                                                                                                    \
  { id, group, title, unit, FIGURE_COUNT, SUBJECT_QEMU, TARGET_NONE, 0 }
#define COUNTED_AT_MOST(id, group, title, unit, most)                                                                                      \
  { id, group, title, unit, FIGURE_COUNT, SUBJECT_QEMU, TARGET_AT_MOST, most }
#define COUNTED_AT_MOST_OF(id, group, title, unit, most)                                                                                   \
  { id, group, title, unit, FIGURE_COUNT, SUBJECT_QEMU, TARGET_RATIO_AT_MOST, most }
#define TIMED(id, group, title, reference, kind, target)                                                                                   \
  { id, group, title, "ns", FIGURE_TIME, reference, kind, target }
#define RATED(id, group, title, unit, kind, target)                                                                                        \
  { id, group, title, unit, FIGURE_RATE, SUBJECT_QEMU, kind, target }
/* How many requests a second, and what each has cost. */
#define DISK(id, group, title, target)                                                                                                     \
  RATED(id ".rate", group, title, "/s", TARGET_RATIO_AT_LEAST, target), COUNTED(id ".exits", group, "exits per request", ""),              \
      COUNTED(id ".userspace", group, "of them to userspace", ""),                                                                         \
      COUNTED(id ".calls", group, "system calls per request, but those of vCPUs", "")

#define BOOT_PL011  "Boot, console on PL011"
#define BOOT_VIRTIO "Boot, console and disk on virtio"
#define BOOT_NET    "Boot to an address by DHCP, console on PL011"
#define FIRMWARE    "Firmware, from power-on to the first line of the kernel on a disk"
#define TRIPS       "Round trips"
#define MEMORY      "Memory of the process, guest's left out"
#define BLOCK       "Disk, requests of 4 KiB a second, and what each costs"
#define QUEUES_1    "Disk on a file system, one queue, QEMU's with io_uring and an I/O thread; random reads of 4 KiB a second"
#define QUEUES_4    "The same, four queues and vCPUs, an I/O thread each"
#define STREAM      "Such a disk of one queue, 1 MiB at a time, requests a second"
#define COW         "Such a disk whose image stays as it is, random writes of 4 KiB a second; QEMU's with snapshot=on"
#define ROOT        "A root of 300 MiB, to the first line of eret exec's command: shared, and packed into the initramfs"
#define CONSOLE     "Console output"
#define NET         "Network card on a tap, MiB a second, and what each costs"
#define NET_VHOST   "The same, served by the host's kernel (vhost-net)"
#define VSOCK       "vsock; QEMU's by the host's kernel, eret's by sockets of the host's"
#define DENSITY     "Idle guests of 64 MiB, each of them"

const Figure figures[] = {
    COUNTED_AT_MOST("boot.pl011.userspace", BOOT_PL011, "exits to userspace", "", 60),
    COUNTED("boot.pl011.exits", BOOT_PL011, "exits, all", ""),
    COUNTED("boot.pl011.memory-faults", BOOT_PL011, "faults on guest memory", ""),
    TIMED("boot.pl011.wall", BOOT_PL011, "wall time", SUBJECT_QEMU, TARGET_RATIO_AT_MOST, 0.7),
    TIMED("boot.pl011.first-entry", BOOT_PL011, "exec to first instruction", SUBJECT_QEMU, TARGET_RATIO_AT_MOST, 0.1),

    COUNTED_AT_MOST("boot.virtio.userspace", BOOT_VIRTIO, "exits to userspace", "", 100),
    COUNTED("boot.virtio.exits", BOOT_VIRTIO, "exits, all", ""),
    COUNTED("boot.virtio.memory-faults", BOOT_VIRTIO, "faults on guest memory", ""),
    TIMED("boot.virtio.wall", BOOT_VIRTIO, "wall time", SUBJECT_QEMU, TARGET_RATIO_AT_MOST, 0.7),
    TIMED("boot.virtio.first-entry", BOOT_VIRTIO, "exec to first instruction", SUBJECT_QEMU, TARGET_RATIO_AT_MOST, 0.1),

    COUNTED_AT_MOST_OF("boot.net.userspace", BOOT_NET, "exits to userspace", "", 0.15),
    COUNTED("boot.net.exits", BOOT_NET, "exits, all", ""),

    COUNTED_AT_MOST_OF("firmware.uefi.userspace", FIRMWARE, "UEFI, exits to userspace", "", 0.3),
    COUNTED("firmware.uefi.exits", FIRMWARE, "UEFI, exits, all", ""),
    TIMED("firmware.uefi.time", FIRMWARE, "UEFI, processor time", SUBJECT_QEMU, TARGET_RATIO_AT_MOST, 0.9),
    COUNTED("firmware.u-boot.userspace", FIRMWARE, "U-Boot, exits to userspace", ""),
    COUNTED("firmware.u-boot.exits", FIRMWARE, "U-Boot, exits, all", ""),
    TIMED("firmware.u-boot.time", FIRMWARE, "U-Boot, processor time", SUBJECT_QEMU, TARGET_NONE, 0),

    TIMED("trips.hvc", TRIPS, "HVC", SUBJECT_MINIMAL, TARGET_RATIO_AT_MOST, 1.05),
    TIMED("trips.read", TRIPS, "MMIO read", SUBJECT_MINIMAL, TARGET_RATIO_AT_MOST, 1.05),
    TIMED("trips.write", TRIPS, "MMIO write", SUBJECT_MINIMAL, TARGET_RATIO_AT_MOST, 1.05),
    TIMED("trips.doorbell", TRIPS, "doorbell (ioeventfd), the guest's side", SUBJECT_MINIMAL, TARGET_NONE, 0),
    TIMED("trips.interrupt", TRIPS, "doorbell, I/O thread, interrupt", SUBJECT_QEMU, TARGET_NONE, 0),

    COUNTED_AT_MOST("memory.private", MEMORY, "private, 256 MiB guest", "KiB", 2048),
    COUNTED("memory.shared", MEMORY, "shared, 256 MiB guest", "KiB"),
    COUNTED_AT_MOST("memory.private-1g", MEMORY, "private, 1 GiB guest", "KiB", 2048),
    COUNTED("memory.shared-1g", MEMORY, "shared, 1 GiB guest", "KiB"),
    COUNTED_AT_MOST("memory.card-off", MEMORY, "private, for a network card", "KiB", 150),
    COUNTED_AT_MOST("memory.card-on", MEMORY, "the same with vhost-net", "KiB", 150),
    COUNTED("memory.threads", MEMORY, "threads", ""),
    COUNTED("memory.binary", MEMORY, "program and its libraries, on disk", "KiB"),

    RATED("block.read.sequential.1.rate", BLOCK, "read, sequential, depth 1", "/s", TARGET_NONE, 0),
    RATED("block.read.random.1.rate", BLOCK, "read, random, depth 1", "/s", TARGET_RATIO_AT_LEAST, 1.2),
    RATED("block.read.sequential.32.rate", BLOCK, "read, sequential, depth 32", "/s", TARGET_NONE, 0),
    RATED("block.read.random.32.rate", BLOCK, "read, random, depth 32", "/s", TARGET_RATIO_AT_LEAST, 1.2),
    RATED("block.write.random.1.rate", BLOCK, "write and fdatasync, random, depth 1", "/s", TARGET_NONE, 0),
    RATED("block.write.random.32.rate", BLOCK, "write, fdatasync per 32, random, depth 32", "/s", TARGET_NONE, 0),
    COUNTED("block.read.random.1.exits", BLOCK, "exits per request, random read, depth 1", ""),
    COUNTED("block.read.random.1.userspace", BLOCK, "of them to userspace", ""),
    COUNTED("block.read.random.32.exits", BLOCK, "exits per request, random read, depth 32", ""),
    COUNTED("block.read.random.32.userspace", BLOCK, "of them to userspace", ""),
    COUNTED("block.write.random.1.exits", BLOCK, "exits per request, write and fdatasync, depth 1", ""),

    DISK("queues.1.1", QUEUES_1, "depth 1", 1.6),
    DISK("queues.1.32", QUEUES_1, "depth 32", 2),
    DISK("queues.4.1", QUEUES_4, "depth 1 each", 1.6),
    DISK("queues.4.32", QUEUES_4, "depth 32 each", 2),
    DISK("stream.read.1", STREAM, "read, depth 1", 1.3),
    DISK("stream.read.32", STREAM, "read, depth 32", 1.3),
    DISK("stream.write.1", STREAM, "write, fdatasync at the end, depth 1", 1.3),
    DISK("stream.write.32", STREAM, "write, fdatasync at the end, depth 32", 1.3),
    DISK("cow.1", COW, "depth 1", 1.5),
    DISK("cow.32", COW, "depth 32", 1.5),

    TIMED("root.time", ROOT, "wall time", SUBJECT_PACKED, TARGET_RATIO_AT_MOST, 0.25),
    {"root.memory", ROOT, "peak of memory, with virtiofsd and the guest", "KiB", FIGURE_COUNT, SUBJECT_PACKED, TARGET_RATIO_AT_MOST, 0.25},

    RATED("console.pl011.rate", CONSOLE, "PL011, KiB a second", "KiB/s", TARGET_NONE, 0),
    COUNTED("console.pl011.userspace", CONSOLE, "PL011, exits to userspace per KiB", ""),
    RATED("console.virtio.rate", CONSOLE, "virtio-console, KiB a second", "KiB/s", TARGET_NONE, 0),
    COUNTED("console.virtio.userspace", CONSOLE, "virtio-console, exits to userspace per KiB", ""),

    RATED("net.tap.send.rate", NET, "stream from guest", "MiB/s", TARGET_RATIO_AT_LEAST, 1.5),
    COUNTED("net.tap.send.exits", NET, "exits per MiB from guest", ""),
    COUNTED("net.tap.send.userspace", NET, "of them to userspace", ""),
    RATED("net.tap.receive.rate", NET, "stream to guest", "MiB/s", TARGET_RATIO_AT_LEAST, 1.5),
    COUNTED("net.tap.receive.exits", NET, "exits per MiB to guest", ""),
    COUNTED("net.tap.receive.userspace", NET, "of them to userspace", ""),
    TIMED("net.tap.echo", NET, "a byte there and back, TCP", SUBJECT_QEMU, TARGET_RATIO_AT_MOST, 0.7),

    RATED("net.vhost.send.rate", NET_VHOST, "stream from guest", "MiB/s", TARGET_RATIO_AT_LEAST, 1),
    COUNTED("net.vhost.send.exits", NET_VHOST, "exits per MiB from guest", ""),
    COUNTED_AT_MOST("net.vhost.send.userspace", NET_VHOST, "of them to userspace", "", 0),
    RATED("net.vhost.receive.rate", NET_VHOST, "stream to guest", "MiB/s", TARGET_RATIO_AT_LEAST, 1),
    COUNTED("net.vhost.receive.exits", NET_VHOST, "exits per MiB to guest", ""),
    COUNTED_AT_MOST("net.vhost.receive.userspace", NET_VHOST, "of them to userspace", "", 0),
    TIMED("net.vhost.echo", NET_VHOST, "a byte there and back, TCP", SUBJECT_QEMU, TARGET_NONE, 0),

    RATED("vsock.send.rate", VSOCK, "stream from guest", "MiB/s", TARGET_RATIO_AT_LEAST, 0.8),
    COUNTED("vsock.send.exits", VSOCK, "exits per MiB from guest", ""),
    COUNTED("vsock.send.userspace", VSOCK, "of them to userspace", ""),
    RATED("vsock.receive.rate", VSOCK, "stream to guest", "MiB/s", TARGET_RATIO_AT_LEAST, 0.8),
    COUNTED("vsock.receive.exits", VSOCK, "exits per MiB to guest", ""),
    COUNTED("vsock.receive.userspace", VSOCK, "of them to userspace", ""),
    TIMED("vsock.echo", VSOCK, "a byte there and back", SUBJECT_QEMU, TARGET_NONE, 0),

    COUNTED("density.private", DENSITY, "private memory, guest's included", "KiB"),
    COUNTED("density.pss", DENSITY, "proportional memory, guest's included", "KiB"),
    COUNTED("density.switches", DENSITY, "context switches a second", ""),
    COUNTED("density.exits", DENSITY, "exits a second", ""),
};
const guint n_figures = G_N_ELEMENTS(figures);

const char *subject_name(Subject subject) {
  static const char *const names[N_SUBJECTS] = {"eret", "qemu", "minimal", "packed"};
  return names[subject];
}

const char *subject_title(Subject subject) {
  static const char *const titles[N_SUBJECTS] = {"eret", "QEMU", "minimal loop", "packed root"};
  return titles[subject];
}
