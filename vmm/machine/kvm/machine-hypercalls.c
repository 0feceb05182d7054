/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts together what answers hypercalls: eret's services, PSCI if it is eret's, servers behind sockets; and says where
 * text, marks and the ready signal go: text to the console, the rest to the log. The services are called on vCPU
 * threads; what they share with others is atomic or has its own lock.
 */
#include "vmm/machine/kvm/machine-hypercalls.h"
#include "devices/units.h"
#include "vmm/base/at-most.h"

#include "devices/printable.h"
#include "vmm/hypercall/peer.h"
#include "vmm/hypercall/plan.h"
#include "vmm/machine/machine.h"

#define MARKS_TOLD_MAX 256 /* the guest chooses how many it sets */

/* A reader that takes nothing for this long loses the rest of the text: a vCPU cannot wait for ever. */
#define WRITE_TRIES    100
#define WRITE_PAUSE_US 10000

static void sink_write(void *opaque, const char *text, size_t size) {
  MachineHypercalls *calls = opaque;

  for (unsigned tries = 0; size > 0 && tries < WRITE_TRIES && !__atomic_load_n(&calls->stopping, __ATOMIC_SEQ_CST); tries++) {
    size_t taken = char_backend_write(calls->console, (const uint8_t *)text, size);
    text += taken;
    size -= taken;
    if (size > 0)
      g_usleep(WRITE_PAUSE_US);
  }
}

static double seconds(const MachineHypercalls *calls, int64_t monotonic_ns) {
  return (double)(monotonic_ns - calls->start_ns) / NS_PER_SECOND;
}

static bool may_tell(MachineHypercalls *calls) {
  return at_most(&calls->n_marks_told, MARKS_TOLD_MAX);
}

static void sink_mark(void *opaque, uint64_t number, const char *name, size_t size, int64_t monotonic_ns) {
  MachineHypercalls *calls = opaque;
  g_autofree char *text = printable_line_escaped(name, (gssize)size);

  timeline_mark(calls->timeline, number, text, (uint64_t)monotonic_ns);
  if (may_tell(calls))
    g_message("mark %" G_GUINT64_FORMAT "%s%s at %.6f s", number, *text ? " " : "", text, seconds(calls, monotonic_ns));
}

static void sink_ready(void *opaque, int64_t monotonic_ns) {
  MachineHypercalls *calls = opaque;

  timeline_add(calls->timeline, PHASE_READY);
  if (may_tell(calls))
    g_message("ready at %.6f s", seconds(calls, monotonic_ns));
}

static const HypercallSink sink = {sink_write, sink_mark, sink_ready};

/* What the user asked for and only a kernel with the filter can do. */
static bool check_filter(const Config *config, bool filter, GError **error) {
  if (filter)
    return true;
  if (config->psci == PSCI_BY_ERET || config->smccc->len) {
    g_set_error(error, MACHINE_ERROR, MACHINE_ERROR_HOST,
                "%s needs KVM's SMCCC filter, which this host's kernel does not have (Linux 6.4 and later have it)",
                config->psci == PSCI_BY_ERET ? "--psci user" : "--smccc");
    return false;
  }
  g_message("this host's kernel has no SMCCC filter (Linux 6.4 and later have it): hypercalls work through the doorbell page only");
  return true;
}

static void free_peer(gpointer peer) {
  hypercall_peer_free(peer);
}

static bool connect_peers(MachineHypercalls *calls, GError **error) {
  for (unsigned i = 0; i < calls->config->hypercalls->len; i++) {
    const HypercallConfig *wanted = g_ptr_array_index(calls->config->hypercalls, i);
    unsigned timeout = wanted->timeout ? wanted->timeout : HYPERCALL_PEER_TIMEOUT_DEFAULT;
    uint32_t first, last;
    const char *path;
    if (!hypercall_parse_service(wanted->service, &first, &last, &path, error))
      return false;
    HypercallPeer *peer = hypercall_peer_new(first, last, path, timeout, error);
    if (!peer) {
      g_prefix_error(error, "--hypercall %s: ", wanted->service);
      return false;
    }
    g_ptr_array_add(calls->peers, peer);
  }
  return true;
}

static const char *option_name(const void *opaque, const char *option, int index) {
  return option;
}

bool machine_hypercalls_init(MachineHypercalls *calls, const Config *config, bool filter, CharBackend *console, Timeline *timeline,
                             GError **error) {
  *calls = (MachineHypercalls){
      .config = config,
      .console = console,
      .timeline = timeline,
      .peers = g_ptr_array_new_with_free_func(free_peer),
      .start_ns = g_get_monotonic_time() * NS_PER_US,
  };
  if (!check_filter(config, filter, error))
    return false;
  /* Checked with the options: nobody is told where. */
  const HypercallRequest request = {config->psci, config->hypercalls, config->smccc, option_name, NULL};
  calls->plan = hypercall_plan(&request, error);
  return calls->plan && connect_peers(calls, error);
}

void machine_hypercalls_clear(MachineHypercalls *calls) {
  machine_hypercalls_end_boot(calls);
  g_clear_pointer(&calls->peers, g_ptr_array_unref);
  g_clear_pointer(&calls->plan, g_array_unref);
}

bool machine_hypercalls_begin_boot(MachineHypercalls *calls, GError **error) {
  calls->hypercalls = hypercalls_new(&sink, calls);
  __atomic_store_n(&calls->stopping, 0, __ATOMIC_SEQ_CST);
  if (calls->config->psci == PSCI_BY_ERET) {
    calls->psci = psci_new(calls->config->cpus, board_mpidr);
    psci_add(calls->psci, calls->hypercalls);
  }
  for (unsigned i = 0; i < calls->peers->len; i++) {
    const HypercallConfig *wanted = g_ptr_array_index(calls->config->hypercalls, i);
    hypercall_peer_go_on(g_ptr_array_index(calls->peers, i));
    if (!hypercall_peer_add(g_ptr_array_index(calls->peers, i), calls->hypercalls)) {
      g_set_error(error, MACHINE_ERROR, MACHINE_ERROR_HOST, "--hypercall %s: the range overlaps another service's", wanted->service);
      return false;
    }
  }
  return true;
}

void machine_hypercalls_set_psci_version(MachineHypercalls *calls, uint32_t version) {
  if (calls->psci)
    psci_set_version(calls->psci, version);
}

void machine_hypercalls_stop(MachineHypercalls *calls) {
  __atomic_store_n(&calls->stopping, 1, __ATOMIC_SEQ_CST);
  if (calls->psci)
    psci_stop(calls->psci);
  for (unsigned i = 0; calls->peers && i < calls->peers->len; i++)
    hypercall_peer_stop(g_ptr_array_index(calls->peers, i));
}

void machine_hypercalls_end_boot(MachineHypercalls *calls) {
  g_clear_pointer(&calls->hypercalls, hypercalls_free);
  g_clear_pointer(&calls->psci, psci_free);
}
