/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A table of sites that only grows, found by a small hash with open addressing. Sites are as many as devices have
 * registers; should a guest find a way to more, the rest is counted together.
 *
 * Locks: none. The numbers are atomic and have one writer; a reader sees the sites up to `n`, which is published after
 * the site is complete.
 */
#include "vmm/observe/exit-counts.h"

#include <string.h>

#define SITES_MAX 1024
#define SLOTS     4096 /* a power of two */

struct ExitCounts {
  uint64_t run_ns, user_ns; /* atomic */
  unsigned n;               /* atomic: sites in use */
  ExitSite sites[SITES_MAX];
  uint16_t slots[SLOTS]; /* site + 1, 0: empty; the counting thread's */
};

static const ExitSite overflow = {.cause = EXIT_BY_OTHER, .device = "(more kinds than can be told apart)", .reg = ""};

static const char *const cause_names[EXIT_N_CAUSES] = {"mmio", "hypercall", "system event", "signal", "other"};

ExitCounts *exit_counts_new(void) {
  return g_new0(ExitCounts, 1);
}

void exit_counts_free(ExitCounts *counts) {
  g_free(counts);
}

static unsigned hash_site(const ExitSite *site) {
  uint64_t mixed = (uintptr_t)site->device * UINT64_C(0x9e3779b97f4a7c15) ^ (uintptr_t)site->reg * UINT64_C(0xc2b2ae3d27d4eb4f);
  return (unsigned)((mixed >> 29) ^ mixed ^ site->cause << 1 ^ site->write);
}

/* By the texts' addresses: the same device and register always come with the same. */
static bool same_site(const ExitSite *a, const ExitSite *b) {
  return a->cause == b->cause && a->device == b->device && a->reg == b->reg && a->write == b->write;
}

static ExitSite *find_or_make(ExitCounts *counts, const ExitSite *wanted) {
  unsigned slot = hash_site(wanted) % SLOTS;

  while (counts->slots[slot]) {
    ExitSite *site = &counts->sites[counts->slots[slot] - 1];
    if (same_site(site, wanted))
      return site;
    slot = (slot + 1) % SLOTS;
  }
  unsigned n = counts->n;
  if (n == SITES_MAX) /* the last one is the overflow's */
    return &counts->sites[SITES_MAX - 1];
  ExitSite *site = &counts->sites[n];
  *site = n == SITES_MAX - 1 ? overflow : *wanted;
  site->count = site->ns = 0;
  counts->slots[slot] = (uint16_t)(n + 1);
  __atomic_store_n(&counts->n, n + 1, __ATOMIC_RELEASE);
  return site;
}

/* One writer: no read-modify-write is needed, only that a reader never sees half a number. */
static void add(uint64_t *number, uint64_t more) {
  __atomic_store_n(number, *number + more, __ATOMIC_RELAXED);
}

static uint64_t get(const uint64_t *number) {
  return __atomic_load_n(number, __ATOMIC_RELAXED);
}

void exit_counts_add(ExitCounts *counts, const ExitSite *wanted, uint64_t run_ns, uint64_t user_ns) {
  ExitSite *site = find_or_make(counts, wanted);

  add(&site->count, 1);
  add(&site->ns, user_ns);
  add(&counts->run_ns, run_ns);
  add(&counts->user_ns, user_ns);
}

int exit_site_compare(gconstpointer a, gconstpointer b) {
  const ExitSite *left = a, *right = b;

  if (left->count != right->count)
    return left->count > right->count ? -1 : 1;
  if (left->cause != right->cause)
    return left->cause < right->cause ? -1 : 1;
  int device = g_strcmp0(left->device, right->device);
  return device ? device : g_strcmp0(left->reg, right->reg);
}

GArray *exit_counts_sites(const ExitCounts *counts) {
  unsigned n = __atomic_load_n(&counts->n, __ATOMIC_ACQUIRE);
  GArray *sites = g_array_sized_new(FALSE, FALSE, sizeof(ExitSite), n);

  for (unsigned i = 0; i < n; i++) {
    const ExitSite *from = &counts->sites[i];
    /* Not as a whole: the numbers may change meanwhile. */
    ExitSite site = {.cause = from->cause,
                     .device = from->device,
                     .reg = from->reg,
                     .write = from->write,
                     .count = get(&from->count),
                     .ns = get(&from->ns)};
    g_array_append_val(sites, site);
  }
  g_array_sort(sites, exit_site_compare);
  return sites;
}

uint64_t exit_counts_run_ns(const ExitCounts *counts) {
  return get(&counts->run_ns);
}

uint64_t exit_counts_user_ns(const ExitCounts *counts) {
  return get(&counts->user_ns);
}

const char *exit_cause_name(ExitCause cause) {
  return cause_names[cause];
}
