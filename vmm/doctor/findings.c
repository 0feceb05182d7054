/* SPDX-License-Identifier: Apache-2.0 */
/* The host's facts, a line each: the machine, its CPUs, its kinds of memory, this process's limits, programs. */
#include <string.h>

#include "vmm/doctor/verdict.h"

static void find_machine(Doctor *doctor) {
  const HostFacts *host = doctor->host;

  doctor_is_text(
      doctor_add(doctor, "host", "architecture", "architecture", g_strcmp0(host->machine, "aarch64") == 0 ? NULL : "guests need aarch64"),
      host->machine);
  doctor_is_text(doctor_add(doctor, "host", "model", "machine", NULL), host->model);
  doctor_is_text(doctor_add(doctor, "host", "kernel", "kernel", NULL), host->kernel);
  doctor_is_text(doctor_add(doctor, "host", "container", "container", "what it may use is the host's decision"), host->container);
  doctor_is_size(
      doctor_add(doctor, "host", "page_size", "page size",
                 host->page_size > 4096 ? "guests choose their own; a guest's first touch of memory takes a whole page of the host" : NULL),
      host->page_size);
  Finding *memory = doctor_add(doctor, "host", "memory", "memory", NULL);
  if (host->memory_total)
    doctor_is_size(memory, host->memory_total);
  Finding *available =
      doctor_add(doctor, "host", "memory_available", "memory available", "guests take theirs page by page, as they touch it");
  if (host->memory_available)
    doctor_is_size(available, host->memory_available);
  doctor_is_text(doctor_add(doctor, "host", "interrupt_controller", "interrupt controller", NULL), host->gic);
}

static void find_cpus(Doctor *doctor) {
  const HostFacts *host = doctor->host;
  GString *text = g_string_new(NULL);

  doctor_is_number(doctor_add(doctor, "cpu", "online", "CPUs online", NULL), host->online_cpus, NULL);
  Finding *kinds =
      doctor_add(doctor, "cpu", "kinds", "kinds", host->clusters->len > 1 ? "keep a guest's vCPUs on one kind: see the advice" : NULL);
  for (unsigned i = 0; i < host->clusters->len; i++) {
    const HostCluster *cluster = g_ptr_array_index(host->clusters, i);
    g_string_append_printf(text, "%s%u x %s (%s)", i ? ", " : "", cluster->count, cluster->name, cluster->cpus);
  }
  kinds->text = g_string_free(text, FALSE);
  kinds->kind = host->clusters->len ? VALUE_CLUSTERS : VALUE_UNKNOWN;
}

static const char *meaning_of_thp(const char *thp) {
  if (g_strcmp0(thp, "never") == 0)
    return "guest memory is mapped page by page: more faults, slower guests";
  return thp ? "guest memory gets them where the kernel has them" : NULL;
}

static void find_memory(Doctor *doctor) {
  const HostFacts *host = doctor->host;
  uint64_t reserved = 0;

  doctor_is_text(doctor_add(doctor, "memory", "transparent_huge_pages", "transparent huge pages", meaning_of_thp(host->thp)), host->thp);
  Finding *size = doctor_add(doctor, "memory", "transparent_huge_page_size", "their size", NULL);
  if (host->thp_size)
    doctor_is_size(size, host->thp_size);
  Finding *sizes = doctor_add(doctor, "memory", "huge_page_sizes", "sizes of hugetlb", NULL);
  sizes->numbers = g_array_new(FALSE, FALSE, sizeof(uint64_t));
  GString *text = g_string_new(NULL);
  for (unsigned i = 0; i < host->huge_pages->len; i++) {
    const HostHugePages *pages = g_ptr_array_index(host->huge_pages, i);
    g_autofree char *one = doctor_size(pages->size);
    g_string_append_printf(text, "%s%s", i ? ", " : "", one);
    g_array_append_val(sizes->numbers, pages->size);
    reserved += pages->size * pages->total;
  }
  sizes->text = g_string_free(text, FALSE);
  sizes->kind = sizes->numbers->len ? VALUE_NUMBERS : VALUE_UNKNOWN;
  Finding *total =
      doctor_add(doctor, "memory", "huge_pages_reserved", "reserved for it", reserved ? "guests of eret do not use these" : NULL);
  if (sizes->numbers->len)
    doctor_is_size(total, reserved);
  doctor_is_bool(doctor_add(doctor, "memory", "userfaultfd", "userfaultfd", host->userfaultfd ? NULL : "not for this user"),
                 host->userfaultfd);
}

static void find_limits(Doctor *doctor) {
  const HostFacts *host = doctor->host;
  g_autofree char *cpus = host->cgroup_cpus > 0 ? g_strdup_printf("%.2g", host->cgroup_cpus) : NULL;

  doctor_is_size(doctor_add(doctor, "limits", "locked_memory", "locked memory", NULL), host->memlock);
  Finding *files = doctor_add(doctor, "limits", "open_files", "open files", NULL);
  if (host->nofile != HOST_UNLIMITED)
    doctor_is_number(files, (double)host->nofile, NULL);
  doctor_is_size(doctor_add(doctor, "limits", "cgroup_memory", "memory of the group",
                            host->cgroup_memory == HOST_UNLIMITED ? NULL : "a guest that touches more is killed with eret"),
                 host->cgroup_memory);
  Finding *quota = doctor_add(doctor, "limits", "cgroup_cpus", "CPU time of the group", cpus ? "vCPUs together get this many CPUs" : NULL);
  if (cpus)
    doctor_is_number(quota, host->cgroup_cpus, cpus);
  Finding *tasks = doctor_add(doctor, "limits", "cgroup_tasks", "tasks of the group", "a vCPU is one, and so is each virtio device");
  if (host->cgroup_pids != HOST_UNLIMITED)
    doctor_is_number(tasks, (double)host->cgroup_pids, NULL);
}

static void find_programs(Doctor *doctor) {
  static const struct {
    const char *program, *key, *meaning;
  } uses[] = {
      {"passt", "passt", "a guest's network without root"},
      {"virtiofsd", "virtiofsd", "directories shared with a guest"},
      {"qemu-storage-daemon", "qemu_storage_daemon", "disk images other than raw"},
      {"busybox", "busybox", "eret exec takes a static one for ARM64, or --rootfs"},
  };

  doctor_is_bool(
      doctor_add(doctor, "tools", "tracepoints", "KVM's tracepoints",
                 doctor->host->tracefs ? "eret run --record sees the kernel's side" : "eret run --record has eret's own events alone"),
      doctor->host->tracefs);
  for (unsigned i = 0; i < G_N_ELEMENTS(uses); i++) {
    const char *path = g_hash_table_lookup(doctor->host->programs, uses[i].program);
    Finding *finding = doctor_add(doctor, "tools", uses[i].key, uses[i].program, uses[i].meaning);
    doctor_is_text(finding, path);
    if (!path)
      finding->text = g_strdup("not found");
  }
}

void doctor_find_host(Doctor *doctor) {
  find_machine(doctor);
  find_cpus(doctor);
  find_memory(doctor);
  find_limits(doctor);
  find_programs(doctor);
}
