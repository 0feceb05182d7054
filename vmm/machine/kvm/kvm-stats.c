/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A statistics descriptor is a file with a header, descriptors and data. What the descriptors say is the kernel's, read
 * once; the numbers are read anew each time. No lock: the object does not change after it is made.
 */
#include "vmm/machine/kvm/kvm-stats.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "vmm/arm/kvm-abi.h"
#include "vmm/observe/stats.h"

#define DESCRIPTORS_MAX 1024
#define NAME_MAX_SIZE   256

struct KvmStats {
  int fd;
  struct kvm_stats_header header;
  char *descriptors; /* header.num_desc of them, `stride` bytes each */
  size_t stride;
};

static bool read_at(int fd, void *to, size_t size, uint64_t offset) {
  return pread(fd, to, size, (off_t)offset) == (ssize_t)size;
}

static bool read_descriptors(KvmStats *stats) {
  if (!read_at(stats->fd, &stats->header, sizeof stats->header, 0) || stats->header.num_desc > DESCRIPTORS_MAX ||
      stats->header.name_size > NAME_MAX_SIZE)
    return false;
  stats->stride = sizeof(struct kvm_stats_desc) + stats->header.name_size;
  stats->descriptors = g_malloc0(stats->stride * stats->header.num_desc + 1);
  return read_at(stats->fd, stats->descriptors, stats->stride * stats->header.num_desc, stats->header.desc_offset);
}

KvmStats *kvm_stats_open(int fd) {
  int stats_fd = ioctl(fd, KVM_GET_STATS_FD, 0);

  if (stats_fd < 0)
    return NULL;
  KvmStats *stats = g_new0(KvmStats, 1);
  stats->fd = stats_fd;
  if (read_descriptors(stats))
    return stats;
  kvm_stats_free(stats);
  return NULL;
}

void kvm_stats_free(KvmStats *stats) {
  if (!stats)
    return;
  close(stats->fd);
  g_free(stats->descriptors);
  g_free(stats);
}

/* Counters and gauges are one number; histograms are several. */
static bool is_number(const struct kvm_stats_desc *descriptor) {
  return (descriptor->flags & KVM_STATS_TYPE_MASK) <= KVM_STATS_TYPE_PEAK && descriptor->size == 1;
}

void kvm_stats_add(const KvmStats *stats, GArray *counters) {
  for (unsigned i = 0; stats && i < stats->header.num_desc; i++) {
    const struct kvm_stats_desc *descriptor = (const struct kvm_stats_desc *)(stats->descriptors + i * stats->stride);
    g_autofree char *name = g_strndup(descriptor->name, stats->header.name_size);
    uint64_t value;
    if (is_number(descriptor) && read_at(stats->fd, &value, sizeof value, (uint64_t)stats->header.data_offset + descriptor->offset))
      stats_counter_add(counters, name, value);
  }
}
