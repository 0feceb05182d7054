/* SPDX-License-Identifier: Apache-2.0 */
/* The host's facts, a line each: the machine, its CPUs, its kinds of memory, this process's limits, programs. */
#include <string.h>

#include "vmm/doctor/verdict.h"

static void find_machine(Doctor *doctor) {
  const HostFacts *host = doctor->host;
  const Fact facts[] = {
      {"architecture", "architecture", FACT_TEXT(host->machine),
       .meaning = g_strcmp0(host->machine, "aarch64") == 0 ? NULL : "guests need aarch64"},
      {"model", "machine", FACT_TEXT(host->model)},
      {"kernel", "kernel", FACT_TEXT(host->kernel)},
      {"container", "container", FACT_TEXT(host->container), .meaning = "what it may use is the host's decision"},
      {"page_size", "page size", FACT_SIZE(true, host->page_size),
       .meaning =
           host->page_size > 4096 ? "guests choose their own; a guest's first touch of memory takes a whole page of the host" : NULL},
      {"memory", "memory", FACT_SIZE(host->memory_total, host->memory_total)},
      {"memory_available", "memory available", FACT_SIZE(host->memory_available, host->memory_available),
       .meaning = "guests take theirs page by page, as they touch it"},
      {"interrupt_controller", "interrupt controller", FACT_TEXT(host->gic)},
  };

  doctor_add(doctor, "host", true, facts, G_N_ELEMENTS(facts));
}

static void find_cpus(Doctor *doctor) {
  const HostFacts *host = doctor->host;
  g_autoptr(GString) kinds = g_string_new(NULL);

  for (unsigned i = 0; i < host->clusters->len; i++) {
    const HostCluster *cluster = g_ptr_array_index(host->clusters, i);
    g_string_append_printf(kinds, "%s%u x %s (%s)", i ? ", " : "", cluster->count, cluster->name, cluster->cpus);
  }
  const Fact facts[] = {
      {"online", "CPUs online", FACT_NUMBER(true, host->online_cpus)},
      {"kinds", "kinds", .kind = kinds->len ? VALUE_CLUSTERS : VALUE_UNKNOWN, .text = kinds->str,
       .meaning = host->clusters->len > 1 ? "keep a guest's vCPUs on one kind: see the advice" : NULL},
  };
  doctor_add(doctor, "cpu", true, facts, G_N_ELEMENTS(facts));
}

static const char *meaning_of_thp(const char *thp) {
  if (g_strcmp0(thp, "never") == 0)
    return "guest memory is mapped page by page: more faults, slower guests";
  return thp ? "guest memory gets them where the kernel has them" : NULL;
}

static void find_memory(Doctor *doctor) {
  const HostFacts *host = doctor->host;
  g_autoptr(GArray) sizes = g_array_new(FALSE, FALSE, sizeof(uint64_t));
  g_autoptr(GString) text = g_string_new(NULL);
  uint64_t reserved = 0;

  for (unsigned i = 0; i < host->huge_pages->len; i++) {
    const HostHugePages *pages = g_ptr_array_index(host->huge_pages, i);
    g_autofree char *one = doctor_size(pages->size);
    g_string_append_printf(text, "%s%s", i ? ", " : "", one);
    g_array_append_val(sizes, pages->size);
    reserved += pages->size * pages->total;
  }
  const Fact facts[] = {
      {"transparent_huge_pages", "transparent huge pages", FACT_TEXT(host->thp), .meaning = meaning_of_thp(host->thp)},
      {"transparent_huge_page_size", "their size", FACT_SIZE(host->thp_size, host->thp_size)},
      {"huge_page_sizes", "sizes of hugetlb", FACT_NUMBERS(sizes), .text = text->str},
      {"huge_pages_reserved", "reserved for it", FACT_SIZE(sizes->len, reserved),
       .meaning = reserved ? "guests of eret do not use these" : NULL},
      {"userfaultfd", "userfaultfd", FACT_BOOL(host->userfaultfd), .otherwise = "not for this user"},
  };
  doctor_add(doctor, "memory", true, facts, G_N_ELEMENTS(facts));
}

static void find_limits(Doctor *doctor) {
  const HostFacts *host = doctor->host;
  bool quota = host->cgroup_cpus > 0;
  g_autofree char *cpus = quota ? g_strdup_printf("%.2g", host->cgroup_cpus) : NULL;
  const Fact facts[] = {
      {"locked_memory", "locked memory", FACT_SIZE(true, host->memlock)},
      {"open_files", "open files", FACT_NUMBER(host->nofile != HOST_UNLIMITED, host->nofile)},
      {"cgroup_memory", "memory of the group", FACT_SIZE(true, host->cgroup_memory),
       .meaning = host->cgroup_memory == HOST_UNLIMITED ? NULL : "a guest that touches more is killed with eret"},
      {"cgroup_cpus", "CPU time of the group", FACT_NUMBER(quota, host->cgroup_cpus), .text = cpus,
       .meaning = "vCPUs together get this many CPUs"},
      {"cgroup_tasks", "tasks of the group", FACT_NUMBER(host->cgroup_pids != HOST_UNLIMITED, host->cgroup_pids),
       .meaning = "a vCPU is one, and so is each virtio device"},
  };

  doctor_add(doctor, "limits", true, facts, G_N_ELEMENTS(facts));
}

/* Where the program is. */
static Fact find_program(const HostFacts *host, const char *name, const char *key, const char *meaning) {
  const char *path = g_hash_table_lookup(host->programs, name);

  return (Fact){key, name, .kind = path ? VALUE_TEXT : VALUE_UNKNOWN, .text = path ? path : "not found", .meaning = meaning};
}

static void find_programs(Doctor *doctor) {
  const HostFacts *host = doctor->host;
  const Fact facts[] = {
      {"tracepoints", "KVM's tracepoints", FACT_BOOL(host->tracefs), .meaning = "eret run --record sees the kernel's side",
       .otherwise = "eret run --record has eret's own events alone"},
      find_program(host, "passt", "passt", "a guest's network without root"),
      find_program(host, "virtiofsd", "virtiofsd", "directories shared with a guest"),
      find_program(host, "qemu-storage-daemon", "qemu_storage_daemon", "disk images other than raw"),
      find_program(host, "busybox", "busybox", "eret exec takes a static one for ARM64, or --rootfs"),
  };

  doctor_add(doctor, "tools", true, facts, G_N_ELEMENTS(facts));
}

void doctor_find_host(Doctor *doctor) {
  find_machine(doctor);
  find_cpus(doctor);
  find_memory(doctor);
  find_limits(doctor);
  find_programs(doctor);
}
