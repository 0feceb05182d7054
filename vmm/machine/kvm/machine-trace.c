/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gathers what is counted in several places: exits by the vCPUs' watches, devices' work, KVM's own counters. Those of
 * KVM end with the VM, so at a reboot of the guest they are added up.
 *
 * No lock of its own: the main thread's, but for what the vCPUs' watches write, which is atomic.
 */
#include "vmm/machine/kvm/machine-trace.h"

#include <string.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "vmm/arm/kvm-abi.h"
#include "vmm/config/layout.h"
#include "vmm/machine/machine.h"
#include "vmm/observe/recording-file.h"

#define DESCRIPTORS_MAX 1024
#define NAME_MAX_SIZE   256

/*
 * KVM's own statistics of a VM or a vCPU: KVM_GET_STATS_FD, a file with a header, descriptors and data. What the
 * descriptors say is the kernel's, read once; the numbers are read anew each time. Linux 5.14 and later, without
 * privilege: Documentation/virt/kvm/api.rst, 4.133.
 */
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

static void free_stats(KvmStats *stats) {
  if (!stats)
    return;
  close(stats->fd);
  g_free(stats->descriptors);
  g_free(stats);
}

/*
 * Of the VM or vCPU behind FD; NULL where the kernel has none. Before a vCPU runs: while it does, KVM answers no other
 * ioctl on it. Reading is possible at any time, also when FD is closed.
 */
static KvmStats *open_stats(int fd) {
  int stats_fd = ioctl(fd, KVM_GET_STATS_FD, 0);

  if (stats_fd < 0)
    return NULL;
  KvmStats *stats = g_new0(KvmStats, 1);
  stats->fd = stats_fd;
  if (read_descriptors(stats))
    return stats;
  free_stats(stats);
  return NULL;
}

/* Counters and gauges are one number; histograms are several. */
static bool is_number(const struct kvm_stats_desc *descriptor) {
  return (descriptor->flags & KVM_STATS_TYPE_MASK) <= KVM_STATS_TYPE_PEAK && descriptor->size == 1;
}

/* Adds every counter as it is now to COUNTERS (of StatsCounter). Histograms are left out. NULL adds nothing. */
static void add_stats(const KvmStats *stats, GArray *counters) {
  for (unsigned i = 0; stats && i < stats->header.num_desc; i++) {
    const struct kvm_stats_desc *descriptor = (const struct kvm_stats_desc *)(stats->descriptors + i * stats->stride);
    g_autofree char *name = g_strndup(descriptor->name, stats->header.name_size);
    uint64_t value;
    if (is_number(descriptor) && read_at(stats->fd, &value, sizeof value, (uint64_t)stats->header.data_offset + descriptor->offset))
      stats_counter_add(counters, name, value);
  }
}

/* What is watched. */

static GArray *new_counters(void) {
  return g_array_new(FALSE, TRUE, sizeof(StatsCounter));
}

static void watch_vcpus(MachineTrace *trace) {
  const Config *config = trace->config;

  trace->n_vcpus = config->cpus;
  trace->vcpus = g_new0(WatchedVcpu, trace->n_vcpus);
  for (unsigned i = 0; i < trace->n_vcpus; i++) {
    WatchedVcpu *vcpu = &trace->vcpus[i];
    vcpu->counts = config->stats ? exit_counts_new() : NULL;
    vcpu->kvm_before = new_counters();
    vcpu_watch_init(&vcpu->watch, i, vcpu->counts, trace->recorder);
  }
  trace->devices = device_counts_new(trace->recorder, trace->timeline);
}

bool machine_trace_init(MachineTrace *trace, const Config *config, Tell tell, GError **error) {
  trace->config = config;
  trace->tell = tell;
  trace->timeline = timeline_new();
  timeline_add(trace->timeline, PHASE_OPTIONS_READ);
  trace->vm_before = new_counters();
  if (config->stats && strcmp(config->stats, CONFIG_STATS_STDERR) != 0 && !(trace->stats_file = output_file_open(config->stats, error))) {
    g_prefix_error(error, "--stats: ");
    return false;
  }
  if (config->record) {
    trace->recorder = recorder_new(config->record, config->record_limit, true, error);
    if (!trace->recorder)
      return false;
    timeline_record(trace->timeline, trace->recorder);
    timeline_add(trace->timeline, PHASE_RECORDING_BEGUN);
  }
  if (config->stats || config->record)
    watch_vcpus(trace);
  return true;
}

/* KVM's counts of a boot are added to those of the boots before. */
static void keep_kvm_stats(MachineTrace *trace) {
  add_stats(trace->vm_stats, trace->vm_before);
  g_clear_pointer(&trace->vm_stats, free_stats);
  for (unsigned i = 0; i < trace->n_vcpus; i++) {
    add_stats(trace->vcpus[i].kvm_stats, trace->vcpus[i].kvm_before);
    g_clear_pointer(&trace->vcpus[i].kvm_stats, free_stats);
  }
}

void machine_trace_clear(MachineTrace *trace) {
  keep_kvm_stats(trace);
  machine_trace_finish(trace, NULL);
  for (unsigned i = 0; i < trace->n_vcpus; i++) {
    exit_counts_free(trace->vcpus[i].counts);
    g_array_unref(trace->vcpus[i].kvm_before);
  }
  g_clear_pointer(&trace->vcpus, g_free);
  g_clear_pointer(&trace->vm_before, g_array_unref);
  g_clear_pointer(&trace->devices, device_counts_free);
  g_clear_pointer(&trace->elsewhere, elsewhere_free);
  g_clear_pointer(&trace->timeline, timeline_free);
  g_clear_pointer(&trace->stats_file, output_file_free);
  trace->n_vcpus = 0;
}

DeviceWatch *machine_trace_devices(MachineTrace *trace) {
  return trace->devices ? device_counts_watch(trace->devices) : NULL;
}

/* Facts and map. */

static void describe_map(Recorder *recorder, const Board *board, const Platform *platform) {
  recorder_region(recorder, TRACE_REGION_RAM, board->ram.base, board->ram.size);
  for (unsigned i = 0; i < platform->devices->len; i++) {
    const PlatformDevice *made = &g_array_index(platform->devices, PlatformDevice, i);
    if (made->device)
      recorder_region(recorder, made->device->name, made->plan->slot.base, made->plan->slot.size);
  }
  recorder_region(recorder, "stolen time", LAYOUT.steal_time.base, LAYOUT.steal_time.size);
  recorder_region(recorder, "GIC distributor", LAYOUT.gic_distributor.base, LAYOUT.gic_distributor.size);
  if (board->gic == GIC_V2) {
    recorder_region(recorder, "GIC CPU interface", LAYOUT.gic_cpu_interface.base, LAYOUT.gic_cpu_interface.size);
  } else {
    recorder_region(recorder, "GIC ITS", LAYOUT.gic_its.base, LAYOUT.gic_its.size);
    recorder_region(recorder, "GIC redistributor", LAYOUT.gic_redistributor.base, LAYOUT.gic_redistributor.size);
  }
  recorder_region(recorder, "PCI window", LAYOUT.pci_window32.base, LAYOUT.pci_window32.size);
  if (board->pci.size64)
    recorder_region(recorder, "PCI window", board->pci.base64, board->pci.size64);
}

static void add_fact(Recorder *recorder, const char *key, const char *format, ...) G_GNUC_PRINTF(3, 4);
static void add_fact(Recorder *recorder, const char *key, const char *format, ...) {
  va_list arguments;

  va_start(arguments, format);
  g_autofree char *value = g_strdup_vprintf(format, arguments);
  va_end(arguments);
  recorder_fact(recorder, key, value);
}

static void describe_kernel(Recorder *recorder, const KernelImage *kernel) {
  g_autofree char *release = kernel ? kernel_image_release(kernel) : NULL;

  if (release)
    add_fact(recorder, "guest-kernel", "Linux %s (%s)", release, kernel->description);
  else
    recorder_fact(recorder, "guest-kernel", kernel ? kernel->description : "booted by firmware");
}

void machine_trace_describe(MachineTrace *trace, const Board *board, const Platform *platform, const KernelImage *kernel,
                            const char *sandbox) {
  Recorder *recorder = trace->recorder;
  struct utsname host;

  if (trace->devices)
    trace->elsewhere = elsewhere_new(platform);
  if (!recorder)
    return;
  add_fact(recorder, "eret", "%s", ERET_VERSION);
  if (uname(&host) == 0)
    add_fact(recorder, "kernel", "%s %s %s", host.sysname, host.release, host.machine);
  describe_kernel(recorder, kernel);
  add_fact(recorder, "cpus", "%u", board->cpus);
  add_fact(recorder, "memory", "%" G_GUINT64_FORMAT " MiB", board->ram.size >> 20);
  add_fact(recorder, "page-size", "%ld", sysconf(_SC_PAGESIZE));
  add_fact(recorder, "gic", "%u", board->gic);
  recorder_fact(recorder, "sandbox", sandbox);
  describe_map(recorder, board, platform);
}

/* Boots. */

const char *machine_trace_place(const MachineTrace *trace) {
  return recorder_kernel_place(trace->recorder);
}

bool machine_trace_begin(MachineTrace *trace, GError **error) {
  return recorder_begin(trace->recorder, error);
}

void machine_trace_begin_boot(MachineTrace *trace, Vcpu *vcpus, unsigned n, int vm_fd) {
  trace->boots++;
  for (unsigned i = 0; i < n && i < trace->n_vcpus; i++)
    vcpus[i].watch = &trace->vcpus[i].watch;
  if (!trace->config->stats)
    return;
  trace->vm_stats = open_stats(vm_fd);
  for (unsigned i = 0; i < n && i < trace->n_vcpus; i++)
    trace->vcpus[i].kvm_stats = open_stats(vcpus[i].fd);
}

void machine_trace_end_boot(MachineTrace *trace) {
  keep_kvm_stats(trace);
  if (trace->elsewhere && trace->recorder)
    elsewhere_record(trace->elsewhere, trace->recorder);
}

/* Statistics. */

static Stats *gather(MachineTrace *trace, const Platform *platform) {
  Stats *stats = stats_new();

  for (unsigned i = 0; i < trace->n_vcpus; i++) {
    const WatchedVcpu *watched = &trace->vcpus[i];
    StatsVcpu vcpu = {
        .index = i,
        .sites = exit_counts_sites(watched->counts),
        .run_ns = exit_counts_run_ns(watched->counts),
        .user_ns = exit_counts_user_ns(watched->counts),
        .kvm = g_array_copy(watched->kvm_before),
    };
    add_stats(watched->kvm_stats, vcpu.kvm);
    g_array_append_val(stats->vcpus, vcpu);
  }
  g_array_append_vals(stats->kvm, trace->vm_before->data, trace->vm_before->len);
  add_stats(trace->vm_stats, stats->kvm);
  stats->devices = device_counts_get(trace->devices);
  if (trace->elsewhere)
    elsewhere_add(trace->elsewhere, stats->devices);
  stats->timeline = timeline_entries(trace->timeline);
  stats->boots = trace->boots;
  stats->deferred_writes = kvm_shortcuts_deferred_writes(trace->shortcuts);
  stats->unclaimed = bus_unclaimed(platform->bus);
  stats->refused = bus_refused(platform->bus);
  return stats;
}

bool machine_trace_writes_json(const MachineTrace *trace) {
  return trace->stats_file && g_str_has_suffix(trace->config->stats, ".json");
}

bool machine_trace_print(MachineTrace *trace, const Platform *platform, int wait_ms) {
  const char *file = trace->config->stats;
  g_autoptr(GError) error = NULL;

  if (!file) {
    g_message("no statistics are kept: start with --stats");
    return true;
  }
  g_autoptr(Stats) stats = gather(trace, platform);
  g_autofree char *text = machine_trace_writes_json(trace) ? stats_json(stats) : stats_text(stats);
  if (!trace->stats_file)
    trace->tell(text, wait_ms);
  else if (!output_file_write(trace->stats_file, text, strlen(text), &error))
    g_warning("--stats: %s", error->message);
  return !error;
}

bool machine_trace_finish(MachineTrace *trace, GError **error) {
  if (!trace->recorder)
    return true;
  timeline_record(trace->timeline, NULL);
  device_counts_stop_recording(trace->devices);
  for (unsigned i = 0; i < trace->n_vcpus; i++)
    trace->vcpus[i].watch.recorder = NULL;
  return recorder_finish(g_steal_pointer(&trace->recorder), error);
}
