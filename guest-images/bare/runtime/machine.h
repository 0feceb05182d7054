/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine the guest finds itself in, as the device tree and the processor tell it. Filled in once, then only read.
 */
#pragma once

#include "../../eret-hypercall.h"
#include "cpu.h"

typedef enum { GIC_NONE, GIC_V2, GIC_V3 } GicVersion;

typedef struct {
  const void *fdt;       /* NULL: none was found */
  const char *arguments; /* /chosen/bootargs; "" without */
  unsigned entry_el;     /* exception level the machine was entered at */

  uint64_t ram_base, ram_size; /* bytes, the first range */
  unsigned n_cpus;             /* CPU 0 is the one that booted */
  uint64_t mpidr[MAX_CPUS];    /* affinity fields */

  uint64_t uart;     /* PL011; 0: none */
  uint64_t doorbell; /* eret's page; 0: none */
  GicVersion gic;
  uint64_t gic_distributor;
  uint64_t gic_redistributor, gic_redistributor_size; /* GICv3 */
  uint64_t gic_cpu_interface;                         /* GICv2 */
  unsigned timer_intid;                               /* of the virtual timer */

  struct eret_door psci;    /* HVC or SMC: /psci/method */
  struct eret_door eret;    /* for eret's own functions: the method of its node; the page, where there is none */
  struct eret_door console; /* for print, where there is no UART, or where console= asks for it */
  bool console_is_uart;
} Machine;

extern Machine machine;

void machine_discover(const void *fdt, unsigned entry_el);

/* Boot arguments, separated by spaces: NAME=VALUE, or NAME alone. */
bool argument_present(const char *name);
bool argument_is(const char *name, const char *value);
uint64_t argument_number(const char *name, uint64_t fallback);
