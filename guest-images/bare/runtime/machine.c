/* SPDX-License-Identifier: Apache-2.0 */
#include "machine.h"

#include "fdt.h"
#include "text.h"

Machine machine;

/* /cpus/cpu@...: one or two cells of affinity (Linux: Documentation/devicetree/bindings/arm/cpus.yaml). */
static uint64_t cpu_reg(const void *fdt, FdtNode node) {
  uint32_t size = 0;
  fdt_property(fdt, node, "reg", &size);
  uint64_t first = fdt_cell(fdt, node, "reg", 0, 0);
  return size > 4 ? first << 32 | fdt_cell(fdt, node, "reg", 1, 0) : first;
}

/* The boot CPU is the first of the list, whatever its place in the tree. */
static void find_cpus(const void *fdt) {
  FdtNode node = FDT_NONE;

  machine.mpidr[0] = read_sysreg(mpidr_el1) & MPIDR_AFFINITY;
  machine.n_cpus = 1;
  while ((node = fdt_next(fdt, node))) {
    const char *type = fdt_string(fdt, node, "device_type");
    if (!type || !text_equal(type, "cpu") || cpu_reg(fdt, node) == machine.mpidr[0] || machine.n_cpus == MAX_CPUS)
      continue;
    machine.mpidr[machine.n_cpus++] = cpu_reg(fdt, node);
  }
}

static void find_gic(const void *fdt) {
  uint64_t size;
  FdtNode v3 = fdt_find_compatible(fdt, "arm,gic-v3");
  FdtNode v2 = fdt_find_compatible(fdt, "arm,cortex-a15-gic");

  if (fdt_reg(fdt, v3, 0, &machine.gic_distributor, &size) &&
      fdt_reg(fdt, v3, 1, &machine.gic_redistributor, &machine.gic_redistributor_size))
    machine.gic = GIC_V3;
  else if (fdt_reg(fdt, v2, 0, &machine.gic_distributor, &size) && fdt_reg(fdt, v2, 1, &machine.gic_cpu_interface, &size))
    machine.gic = GIC_V2;
}

/* arm,arch_timer.yaml: three cells an interrupt; secure, physical, virtual ... A PPI's number is its INTID less 16. */
#define TIMER_VIRTUAL_CELL   (2 * 3 + 1)
#define PPI_BASE             16
#define PPI_VIRTUAL_STANDARD 11 /* Arm BSA (DEN 0094), "PPI assignments" */

static void find_devices(const void *fdt) {
  uint64_t size;

  fdt_reg(fdt, fdt_find_compatible(fdt, "arm,pl011"), 0, &machine.uart, &size);
  fdt_reg(fdt, fdt_find_compatible(fdt, ERET_PAGE_COMPATIBLE), 0, &machine.doorbell, &size);
  find_gic(fdt);
  FdtNode timer = fdt_find_compatible(fdt, "arm,armv8-timer");
  machine.timer_intid = PPI_BASE + fdt_cell(fdt, timer, "interrupts", TIMER_VIRTUAL_CELL, PPI_VIRTUAL_STANDARD);
}

static struct eret_door door_by_name(const char *name, struct eret_door fallback) {
  if (name && text_equal(name, "hvc"))
    return (struct eret_door){ERET_DOOR_HVC, NULL};
  if (name && text_equal(name, "smc"))
    return (struct eret_door){ERET_DOOR_SMC, NULL};
  return fallback;
}

/* The device tree says which instruction reaches whoever answers; conduit= and console= override it. */
static void choose_doors(const void *fdt) {
  const struct eret_door hvc = {ERET_DOOR_HVC, NULL}, smc = {ERET_DOOR_SMC, NULL}, page = {ERET_DOOR_PAGE, (void *)machine.doorbell};
  FdtNode node = fdt_find_compatible(fdt, ERET_PAGE_COMPATIBLE);

  machine.psci = door_by_name(fdt_string(fdt, fdt_find_name(fdt, "psci"), "method"), hvc);
#ifdef GUEST_PSCI_BY_SMC
  machine.psci = smc;
#endif
  if (argument_present("conduit"))
    machine.psci = argument_is("conduit", "smc") ? smc : hvc;
  machine.eret = door_by_name(fdt_string(fdt, node, "method"), machine.doorbell ? page : machine.psci);
  if (argument_present("conduit"))
    machine.eret = machine.psci;
  machine.console = machine.eret;
  if (argument_is("console", "hvc"))
    machine.console = hvc;
  if (argument_is("console", "smc"))
    machine.console = smc;
  if (argument_is("console", "doorbell") && machine.doorbell)
    machine.console = page;
  machine.console_is_uart = machine.uart && (!argument_present("console") || argument_is("console", "pl011"));
}

#define RAM_START    0x40000000 /* where QEMU's virt machine puts the tree for programs that follow no protocol; so does eret */
#define UART_DEFAULT 0x09000000 /* the same machines' PL011, to complain when there is no tree */

void machine_discover(const void *fdt, unsigned entry_el) {
  machine.entry_el = entry_el;
  machine.arguments = "";
  if (!fdt_is_valid(fdt))
    fdt = (const void *)RAM_START;
  if (!fdt_is_valid(fdt)) {
    machine.uart = UART_DEFAULT;
    machine.console_is_uart = true;
    return;
  }
  machine.fdt = fdt;
  const char *arguments = fdt_string(fdt, fdt_find_name(fdt, "chosen"), "bootargs");
  if (arguments)
    machine.arguments = arguments;
  fdt_reg(fdt, fdt_find_name(fdt, "memory"), 0, &machine.ram_base, &machine.ram_size);
  find_cpus(fdt);
  find_devices(fdt);
  choose_doors(fdt);
}

/* What follows the name, at "=", a space or the end. NULL: it is not there. */
static const char *find_argument(const char *name) {
  size_t length = text_length(name);

  for (const char *at = machine.arguments; *at; at++) {
    bool begins = at == machine.arguments || at[-1] == ' ';
    if (begins && text_starts(at, name) && (at[length] == '=' || at[length] == ' ' || !at[length]))
      return at + length;
  }
  return NULL;
}

bool argument_present(const char *name) {
  return find_argument(name) != NULL;
}

bool argument_is(const char *name, const char *value) {
  const char *found = find_argument(name);
  if (!found || *found != '=' || !text_starts(found + 1, value))
    return false;
  char end = found[1 + text_length(value)];
  return !end || end == ' ';
}

uint64_t argument_number(const char *name, uint64_t fallback) {
  const char *found = find_argument(name);
  return found && *found == '=' ? text_number(found + 1) : fallback;
}
