/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's CPUs by kind: MIDR_EL1 of each (Arm ARM, D19.2), as the kernel shows it in sysfs. Names of parts: each
 * vendor's manuals, as collected in Linux, arch/arm64/include/asm/cputype.h.
 */
#include <stdlib.h>
#include <string.h>

#include "vmm/doctor/host-facts.h"

#define MIDR_IMPLEMENTER(midr) ((unsigned)((midr) >> 24 & 0xff))
#define MIDR_PART(midr)        ((unsigned)((midr) >> 4 & 0xfff))
#define MIDR_KIND(midr)        ((midr)&0xff0ffff0) /* without variant and revision */
#define CPUS_MAX               4096

/* Runs of part numbers from PART on; "-" is none. */
static const struct {
  unsigned implementer, part;
  const char *names;
} parts[] = {
    {0x41, 0xd03,
     "Cortex-A53, Cortex-A35, Cortex-A55, -, Cortex-A57, Cortex-A72, Cortex-A73, Cortex-A75, Cortex-A76, Neoverse-N1, Cortex-A77, "
     "Cortex-A76AE"},
    {0x41, 0xd40,
     "Neoverse-V1, Cortex-A78, Cortex-A78AE, -, Cortex-X1, -, Cortex-A510, Cortex-A710, Cortex-X2, Neoverse-N2, Neoverse-E1, Cortex-A78C, "
     "Cortex-X1C, Cortex-A715, Cortex-X3, Neoverse-V2"},
    {0x41, 0xd80,
     "Cortex-A520, Cortex-A720, Cortex-X4, Neoverse-V3AE, Neoverse-V3, Cortex-X925, -, Cortex-A725, Cortex-A520AE, Cortex-A720AE"},
    {0x41, 0xd8e, "Neoverse-N3, Cortex-A320"},
    {0x43, 0x0a1, "ThunderX"},
    {0x43, 0x0af, "ThunderX2"},
    {0x46, 0x001, "A64FX"},
    {0x48, 0xd01, "Kunpeng-920"},
    {0x4e, 0x003, "Denver-2, Carmel"},
    {0x51, 0x001, "Oryon"},
    {0x51, 0x800, "Kryo-2xx-gold, Kryo-2xx-silver, Kryo-3xx-gold, Kryo-3xx-silver, Kryo-4xx-gold, Kryo-4xx-silver"},
    {0x51, 0xc00, "Falkor"},
    {0x61, 0x020,
     "Icestorm (A14), Firestorm (A14), Icestorm (M1), Firestorm (M1), Icestorm (M1 Pro), Firestorm (M1 Pro), -, -, Icestorm (M1 Max), "
     "Firestorm (M1 Max)"},
    {0x61, 0x032, "Blizzard (M2), Avalanche (M2), Blizzard (M2 Pro), Avalanche (M2 Pro), -, -, Blizzard (M2 Max), Avalanche (M2 Max)"},
    {0x6d, 0xd49, "Azure-Cobalt-100"},
    {0xc0, 0xac3, "Ampere-1, Ampere-1a"},
    {0x00, 0x051, "QEMU max"},
};

static char *name_of(uint64_t midr) {
  for (unsigned i = 0; i < G_N_ELEMENTS(parts); i++) {
    g_auto(GStrv) names = g_strsplit(parts[i].names, ", ", -1);
    unsigned place = MIDR_PART(midr) - parts[i].part;
    if (parts[i].implementer == MIDR_IMPLEMENTER(midr) && place < g_strv_length(names) && strcmp(names[place], "-") != 0)
      return g_strdup(names[place]);
  }
  return g_strdup_printf("implementer 0x%02x part 0x%03x", MIDR_IMPLEMENTER(midr), MIDR_PART(midr));
}

static HostCluster *find_cluster(HostFacts *facts, uint64_t midr) {
  for (unsigned i = 0; i < facts->clusters->len; i++) {
    HostCluster *cluster = g_ptr_array_index(facts->clusters, i);
    if (MIDR_KIND(cluster->midr) == MIDR_KIND(midr))
      return cluster;
  }
  HostCluster *cluster = g_new0(HostCluster, 1);
  cluster->midr = midr;
  cluster->name = name_of(midr);
  cluster->cpus = g_strdup("");
  g_ptr_array_add(facts->clusters, cluster);
  return cluster;
}

/* Appends CPU, the highest so far, to "0-3,6". */
static void add_cpu(HostCluster *cluster, unsigned cpu) {
  const char *comma = strrchr(cluster->cpus, ',');
  const char *range = comma ? comma + 1 : cluster->cpus;
  char *dash = strchr(range, '-');
  unsigned last = (unsigned)strtoul(dash ? dash + 1 : range, NULL, 10);
  char *longer;

  if (*range && last + 1 == cpu)
    longer = g_strdup_printf("%.*s-%u", (int)((dash ? dash : range + strlen(range)) - cluster->cpus), cluster->cpus, cpu);
  else
    longer = g_strdup_printf("%s%s%u", cluster->cpus, *cluster->cpus ? "," : "", cpu);
  g_free(cluster->cpus);
  cluster->cpus = longer;
  cluster->count++;
}

static bool is_online(const char *root, unsigned cpu) {
  g_autofree char *path = g_strdup_printf("sys/devices/system/cpu/cpu%u/online", cpu);
  return host_read_number(root, path, 1) != 0; /* CPU 0 often has no such file */
}

void host_cpus_read(HostFacts *facts, const char *root) {
  for (unsigned cpu = 0; cpu < CPUS_MAX; cpu++) {
    g_autofree char *directory = g_strdup_printf("%s/sys/devices/system/cpu/cpu%u", root, cpu);
    if (!g_file_test(directory, G_FILE_TEST_IS_DIR))
      break;
    if (!is_online(root, cpu))
      continue;
    facts->online_cpus++;
    g_autofree char *path = g_strdup_printf("sys/devices/system/cpu/cpu%u/regs/identification/midr_el1", cpu);
    g_autofree char *text = host_read_text(root, path);
    if (text && g_str_has_prefix(text, "0x"))
      add_cpu(find_cluster(facts, g_ascii_strtoull(text, NULL, 16)), cpu);
  }
}
