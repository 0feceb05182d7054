/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gathers what is counted in several places: exits by the vCPUs' watches, devices' work, KVM's own counters. Those of
 * KVM end with the VM, so at a reboot of the guest they are added up.
 *
 * No lock of its own: the main thread's, but for what the vCPUs' watches write, which is atomic.
 */
#include "vmm/machine/kvm/machine-trace.h"

#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "vmm/config/layout.h"
#include "vmm/machine/machine.h"
#include "vmm/observe/recording-file.h"

static GArray *new_counters(void) {
  return g_array_new(FALSE, TRUE, sizeof(StatsCounter));
}

static void watch_vcpus(MachineTrace *trace) {
  const Config *config = trace->config;

  trace->n_vcpus = config->cpus;
  trace->counts = g_new0(ExitCounts *, trace->n_vcpus);
  trace->watches = g_new0(VcpuWatch, trace->n_vcpus);
  trace->kvm_before = g_new0(GArray *, trace->n_vcpus);
  trace->kvm_stats = g_new0(KvmStats *, trace->n_vcpus);
  for (unsigned i = 0; i < trace->n_vcpus; i++) {
    trace->counts[i] = config->stats ? exit_counts_new() : NULL;
    trace->kvm_before[i] = new_counters();
    vcpu_watch_init(&trace->watches[i], i, trace->counts[i], trace->recorder);
  }
  trace->devices = device_counts_new(trace->recorder);
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

void machine_trace_clear(MachineTrace *trace) {
  machine_trace_end_boot(trace);
  machine_trace_finish(trace, NULL);
  for (unsigned i = 0; i < trace->n_vcpus; i++) {
    exit_counts_free(trace->counts[i]);
    g_array_unref(trace->kvm_before[i]);
  }
  g_clear_pointer(&trace->counts, g_free);
  g_clear_pointer(&trace->watches, g_free);
  g_clear_pointer(&trace->kvm_before, g_free);
  g_clear_pointer(&trace->kvm_stats, g_free);
  g_clear_pointer(&trace->vm_before, g_array_unref);
  g_clear_pointer(&trace->devices, device_counts_free);
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
    const DeviceSlot *slot = &g_array_index(platform->slots, DeviceSlot, i);
    recorder_region(recorder, ((Device *)g_ptr_array_index(platform->devices, i))->name, slot->base, slot->size);
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
  if (board->pci_window64.size)
    recorder_region(recorder, "PCI window", board->pci_window64.base, board->pci_window64.size);
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
  g_autofree char *release = kernel_image_release(kernel);

  if (release)
    add_fact(recorder, "guest-kernel", "Linux %s (%s)", release, kernel->description);
  else
    recorder_fact(recorder, "guest-kernel", kernel->description);
}

void machine_trace_describe(MachineTrace *trace, const Board *board, const Platform *platform, const KernelImage *kernel) {
  Recorder *recorder = trace->recorder;
  struct utsname host;

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
  describe_map(recorder, board, platform);
}

/* Boots. */

void machine_trace_begin_boot(MachineTrace *trace, Vcpu *vcpus, unsigned n, int vm_fd) {
  trace->boots++;
  for (unsigned i = 0; i < n && i < trace->n_vcpus; i++)
    vcpus[i].watch = &trace->watches[i];
  if (!trace->config->stats)
    return;
  trace->vm_stats = kvm_stats_open(vm_fd);
  for (unsigned i = 0; i < n && i < trace->n_vcpus; i++)
    trace->kvm_stats[i] = kvm_stats_open(vcpus[i].fd);
}

void machine_trace_end_boot(MachineTrace *trace) {
  kvm_stats_add(trace->vm_stats, trace->vm_before);
  g_clear_pointer(&trace->vm_stats, kvm_stats_free);
  for (unsigned i = 0; i < trace->n_vcpus; i++) {
    kvm_stats_add(trace->kvm_stats[i], trace->kvm_before[i]);
    g_clear_pointer(&trace->kvm_stats[i], kvm_stats_free);
  }
}

/* Statistics. */

static Stats *gather(MachineTrace *trace, const Platform *platform) {
  Stats *stats = stats_new();

  for (unsigned i = 0; i < trace->n_vcpus; i++) {
    StatsVcpu vcpu = {
        .index = i,
        .sites = exit_counts_sites(trace->counts[i]),
        .run_ns = exit_counts_run_ns(trace->counts[i]),
        .user_ns = exit_counts_user_ns(trace->counts[i]),
        .kvm = g_array_copy(trace->kvm_before[i]),
    };
    kvm_stats_add(trace->kvm_stats[i], vcpu.kvm);
    g_array_append_val(stats->vcpus, vcpu);
  }
  g_array_append_vals(stats->kvm, trace->vm_before->data, trace->vm_before->len);
  kvm_stats_add(trace->vm_stats, stats->kvm);
  stats->devices = device_counts_get(trace->devices);
  stats->timeline = timeline_entries(trace->timeline);
  stats->boots = trace->boots;
  stats->deferred_writes = kvm_shortcuts_deferred_writes(trace->shortcuts);
  stats->unclaimed = bus_unclaimed(platform->bus);
  stats->refused = bus_refused(platform->bus);
  return stats;
}

bool machine_trace_print(MachineTrace *trace, const Platform *platform, int wait_ms) {
  const char *file = trace->config->stats;
  g_autoptr(GError) error = NULL;

  if (!file) {
    g_message("no statistics are kept: start with --stats");
    return true;
  }
  g_autoptr(Stats) stats = gather(trace, platform);
  bool json = g_str_has_suffix(file, ".json");
  g_autofree char *text = json ? stats_json(stats) : stats_text(stats);
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
    trace->watches[i].recorder = NULL;
  return recorder_finish(g_steal_pointer(&trace->recorder), error);
}
