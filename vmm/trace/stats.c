/* Statistics as a structure: making, adding up. No lock: it is a copy of what others count. */
#include "vmm/trace/stats.h"

#include <string.h>

void stats_vcpu_clear(gpointer data) {
  StatsVcpu *vcpu = data;
  g_clear_pointer(&vcpu->sites, g_array_unref);
  g_clear_pointer(&vcpu->kvm, g_array_unref);
}

Stats *stats_new(void) {
  Stats *stats = g_new0(Stats, 1);

  stats->vcpus = g_array_new(FALSE, TRUE, sizeof(StatsVcpu));
  g_array_set_clear_func(stats->vcpus, stats_vcpu_clear);
  stats->kvm = g_array_new(FALSE, TRUE, sizeof(StatsCounter));
  stats->boots = 1;
  return stats;
}

void stats_free(Stats *stats) {
  if (!stats)
    return;
  g_array_unref(stats->vcpus);
  g_array_unref(stats->kvm);
  g_clear_pointer(&stats->devices, g_array_unref);
  g_clear_pointer(&stats->timeline, g_array_unref);
  g_free(stats);
}

void stats_counter_add(GArray *counters, const char *name, uint64_t more) {
  for (unsigned i = 0; i < counters->len; i++) {
    StatsCounter *counter = &g_array_index(counters, StatsCounter, i);
    if (strcmp(counter->name, name) == 0) {
      counter->value += more;
      return;
    }
  }
  StatsCounter fresh = {.value = more};
  g_strlcpy(fresh.name, name, sizeof fresh.name);
  g_array_append_val(counters, fresh);
}

static void add_site(GArray *sites, const ExitSite *more) {
  for (unsigned i = 0; i < sites->len; i++) {
    ExitSite *site = &g_array_index(sites, ExitSite, i);
    if (site->cause == more->cause && site->write == more->write && g_strcmp0(site->device, more->device) == 0 &&
        g_strcmp0(site->reg, more->reg) == 0) {
      site->count += more->count;
      site->ns += more->ns;
      return;
    }
  }
  g_array_append_val(sites, *more);
}

StatsVcpu stats_total(const Stats *stats) {
  StatsVcpu total = {
      .sites = g_array_new(FALSE, TRUE, sizeof(ExitSite)),
      .kvm = g_array_new(FALSE, TRUE, sizeof(StatsCounter)),
  };

  for (unsigned i = 0; i < stats->vcpus->len; i++) {
    const StatsVcpu *vcpu = &g_array_index(stats->vcpus, StatsVcpu, i);
    total.run_ns += vcpu->run_ns;
    total.user_ns += vcpu->user_ns;
    for (unsigned n = 0; n < vcpu->sites->len; n++)
      add_site(total.sites, &g_array_index(vcpu->sites, ExitSite, n));
    for (unsigned n = 0; n < vcpu->kvm->len; n++)
      stats_counter_add(total.kvm, g_array_index(vcpu->kvm, StatsCounter, n).name, g_array_index(vcpu->kvm, StatsCounter, n).value);
  }
  g_array_sort(total.sites, exit_site_compare);
  return total;
}
