/* SPDX-License-Identifier: Apache-2.0 */
/* Facts about the host: the machine, its memory, the programs on it; the other host-*.c files read the rest. */
#include "vmm/doctor/host-facts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/base/whole-file.h"

#define TEXT_MAX ((gsize)64 << 20) /* /proc/interrupts has some, with hundreds of CPUs */

static const char *const programs[] = {"passt", "virtiofsd", "qemu-storage-daemon", "mcopy", "busybox", NULL};

char *host_read_text(const char *root, const char *path) {
  g_autofree char *file = g_build_filename(root, path, NULL);
  char *text = whole_file_read(file, TEXT_MAX, "fact", NULL, NULL);

  return text ? g_strchomp(text) : NULL;
}

uint64_t host_read_number(const char *root, const char *path, uint64_t fallback) {
  g_autofree char *text = host_read_text(root, path);
  guint64 number;

  return text && g_ascii_string_to_unsigned(text, 10, 0, G_MAXUINT64, &number, NULL) ? number : fallback;
}

/* A file that is there but empty says nothing. */
static char *read_line(const char *root, const char *path) {
  g_autofree char *text = host_read_text(root, path);

  if (!text || !*text)
    return NULL;
  text[strcspn(text, "\n")] = 0;
  return g_steal_pointer(&text);
}

/* A device tree's model, or what the firmware's DMI tables say. */
static void read_model(HostFacts *facts, const char *root) {
  facts->vendor = read_line(root, "sys/class/dmi/id/sys_vendor");
  g_autofree char *product = read_line(root, "sys/class/dmi/id/product_name");
  facts->model = read_line(root, "proc/device-tree/model");
  if (!facts->model && (facts->vendor || product))
    facts->model =
        g_strdup_printf("%s%s%s", facts->vendor ? facts->vendor : "", facts->vendor && product ? " " : "", product ? product : "");
  facts->hypervisor = read_line(root, "proc/device-tree/hypervisor/compatible");
  facts->psci_conduit = read_line(root, "proc/device-tree/psci/method");
}

static void read_container(HostFacts *facts, const char *root) {
  g_autofree char *docker = g_build_filename(root, ".dockerenv", NULL);
  g_autofree char *podman = g_build_filename(root, "run/.containerenv", NULL);

  facts->container = read_line(root, "run/systemd/container");
  if (!facts->container && g_file_test(podman, G_FILE_TEST_EXISTS))
    facts->container = g_strdup("podman");
  if (!facts->container && g_file_test(docker, G_FILE_TEST_EXISTS))
    facts->container = g_strdup("docker");
}

/* "MemTotal:  123 kB": bytes, or 0. */
static uint64_t meminfo(const char *text, const char *name) {
  const char *line = text ? strstr(text, name) : NULL;

  return line ? g_ascii_strtoull(line + strlen(name), NULL, 10) * 1024 : 0;
}

static void read_memory(HostFacts *facts, const char *root) {
  g_autofree char *text = host_read_text(root, "proc/meminfo");

  facts->memory_total = meminfo(text, "MemTotal:");
  facts->memory_available = meminfo(text, "MemAvailable:");
}

/* "always [madvise] never": what is in brackets. */
static void read_thp(HostFacts *facts, const char *root) {
  g_autofree char *text = host_read_text(root, "sys/kernel/mm/transparent_hugepage/enabled");
  const char *open = text ? strchr(text, '[') : NULL;
  const char *end = open ? strchr(open, ']') : NULL;

  if (end)
    facts->thp = g_strndup(open + 1, (gsize)(end - open - 1));
  facts->thp_size = host_read_number(root, "sys/kernel/mm/transparent_hugepage/hpage_pmd_size", 0);
}

static int compare_sizes(gconstpointer a, gconstpointer b) {
  const HostHugePages *const *one = a, *const *other = b;
  return (*one)->size < (*other)->size ? -1 : (*one)->size > (*other)->size;
}

static void read_huge_pages(HostFacts *facts, const char *root) {
  g_autofree char *path = g_build_filename(root, "sys/kernel/mm/hugepages", NULL);
  g_autoptr(GDir) directory = g_dir_open(path, 0, NULL);

  for (const char *name; directory && (name = g_dir_read_name(directory));) {
    if (!g_str_has_prefix(name, "hugepages-"))
      continue;
    HostHugePages *pages = g_new0(HostHugePages, 1);
    g_autofree char *total = g_build_filename("sys/kernel/mm/hugepages", name, "nr_hugepages", NULL);
    g_autofree char *unused = g_build_filename("sys/kernel/mm/hugepages", name, "free_hugepages", NULL);
    pages->size = g_ascii_strtoull(name + strlen("hugepages-"), NULL, 10) * 1024;
    pages->total = host_read_number(root, total, 0);
    pages->free = host_read_number(root, unused, 0);
    g_ptr_array_add(facts->huge_pages, pages);
  }
  g_ptr_array_sort(facts->huge_pages, compare_sizes);
}

static bool is_program(const char *root, const char *path) {
  g_autofree char *file = g_build_filename(root, path, NULL);
  return g_file_test(file, G_FILE_TEST_IS_REGULAR) && g_file_test(file, G_FILE_TEST_IS_EXECUTABLE);
}

/* virtiofsd lies in no directory of PATH on Debian; so do others on other systems. */
static void read_programs(HostFacts *facts, const char *root) {
  const char *search_path = facts->process.path;
  g_autofree char *places = g_strconcat(search_path ? search_path : "", ":/usr/local/bin:/usr/bin:/bin:/usr/libexec:/usr/lib/qemu", NULL);
  g_auto(GStrv) directories = g_strsplit(places, ":", -1);

  for (const char *const *name = programs; *name; name++)
    for (char **directory = directories; *directory; directory++) {
      g_autofree char *path = g_build_filename(*directory, *name, NULL);
      if (**directory != '/' || !is_program(root, path))
        continue;
      g_hash_table_insert(facts->programs, g_strdup(*name), g_steal_pointer(&path));
      break;
    }
}

static void read_tracefs(HostFacts *facts, const char *root) {
  g_autofree char *own = host_read_text(root, "sys/kernel/tracing/events/kvm/kvm_exit/id");
  g_autofree char *below_debugfs = host_read_text(root, "sys/kernel/debug/tracing/events/kvm/kvm_exit/id");

  facts->tracefs = own || below_debugfs;
}

static void free_cluster(gpointer data) {
  HostCluster *cluster = data;
  g_free(cluster->name);
  g_free(cluster->cpus);
  g_free(cluster);
}

HostFacts *host_facts_read(const char *root, HostProcess process) {
  HostFacts *facts = g_new0(HostFacts, 1);

  facts->clusters = g_ptr_array_new_with_free_func(free_cluster);
  facts->kvm_log = g_ptr_array_new_with_free_func(g_free);
  facts->huge_pages = g_ptr_array_new_with_free_func(g_free);
  facts->programs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  facts->process = process;
  facts->kernel = read_line(root, "proc/sys/kernel/osrelease");
  read_model(facts, root);
  read_container(facts, root);
  read_memory(facts, root);
  read_thp(facts, root);
  read_huge_pages(facts, root);
  read_programs(facts, root);
  read_tracefs(facts, root);
  host_cpus_read(facts, root);
  host_kvm_read(facts, root);
  host_limits_read(facts, root);
  host_network_read(facts, root);
  facts->uefi = firmware_find(root, FIRMWARE_UEFI);
  facts->u_boot = firmware_find(root, FIRMWARE_U_BOOT);
  return facts;
}

void host_facts_free(HostFacts *facts) {
  if (!facts)
    return;
  char *const texts[] = {facts->process.machine,
                         facts->process.user,
                         facts->process.path,
                         facts->kernel,
                         facts->model,
                         facts->vendor,
                         facts->hypervisor,
                         facts->psci_conduit,
                         facts->container,
                         facts->gic,
                         facts->kvm_mode,
                         facts->kvm_group,
                         facts->thp,
                         facts->process.passt_problem,
                         facts->process.virtiofsd.version,
                         facts->process.virtiofsd.problem,
                         facts->process.storage_daemon,
                         facts->process.storage_daemon_problem,
                         facts->process.images.skopeo,
                         facts->process.images.umoci,
                         facts->process.images.problem};
  for (unsigned i = 0; i < G_N_ELEMENTS(texts); i++)
    g_free(texts[i]);
  host_network_clear(&facts->network);
  g_ptr_array_unref(facts->clusters);
  g_ptr_array_unref(facts->kvm_log);
  g_ptr_array_unref(facts->huge_pages);
  g_hash_table_unref(facts->programs);
  g_free(facts);
}
