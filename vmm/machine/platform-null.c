/* SPDX-License-Identifier: Apache-2.0 */
/* A wiring that does nothing; see the header. No lock: nothing happens. */
#include "vmm/machine/platform-null.h"

#include "devices/virtio/console-ports.h"
#include "vmm/hypercall/hypercall.h"
#include "vmm/machine/clock-host.h"

static void line_set(IrqLine *line, bool level) {
}

static IrqLine *irq_line(IrqLines *irqs, uint32_t spi, FdtIrqTrigger trigger) {
  return &((NullWiring *)((char *)irqs - offsetof(NullWiring, irqs)))->line;
}

static MsiRoute *route_new(MsiController *controller, uint32_t device_id) {
  return NULL;
}

static void route_set(MsiRoute *route, uint64_t address, uint32_t data) {
}

static void route_ignore(MsiRoute *route) {
}

static void hypercall(void *opaque, unsigned frame, uint32_t function, uint64_t x[HYPERCALL_DOORBELL_REGISTERS]) {
  x[0] = (uint64_t)HYPERCALL_NOT_SUPPORTED;
}

static void watchdog_expired(GuestEvents *events) {
}

static void panicked(GuestEvents *events, bool recovers) {
}

static const MsiControllerOps msi_ops = {
    .route_new = route_new,
    .route_set = route_set,
    .route_signal = route_ignore,
    .route_free = route_ignore,
};

static bool doorbell_attach(Doorbells *doorbells, uint64_t address, unsigned size, bool match, uint32_t value, int fd) {
  return false;
}

static void doorbell_detach(Doorbells *doorbells, uint64_t address, unsigned size, bool match, uint32_t value, int fd) {
}

/* What is behind them, and their names, is no part of a plan. */
static const VirtioConsolePort port = {.name = "port"};
static const VirtioConsolePortSet ports = {.ports = &port, .n = 1};

void null_wiring_init(NullWiring *null) {
  *null = (NullWiring){
      .irqs = {irq_line},
      .line = {line_set},
      .msi = {&msi_ops},
      .doorbells = {doorbell_attach, doorbell_detach},
      .clock = clock_host_new(),
      .events = {watchdog_expired, panicked},
      .hypercalls = {.call = hypercall, .method = "hvc", .first_function = ERET_FUNCTION_FIRST, .version = ERET_HYPERCALL_VERSION},
  };
  null->wiring = (PlatformWiring){
      .doorbells = &null->doorbells,
      .parts = {.irqs = &null->irqs,
                .msi = &null->msi,
                .clock = null->clock,
                .memory = &null->memory,
                .hypercalls = &null->hypercalls,
                .events = &null->events,
                .plan_only = true,
                .ports = &ports},
  };
}

void null_wiring_set_cpu(NullWiring *null, const CpuConfig *cpu) {
  null->wiring.pmu = cpu->pmu != CPU_OFF;
  null->wiring.el2 = cpu->el2 == CPU_ON;
  null->wiring.el2_vhe = null->wiring.el2 && !cpu->el2_e2h0;
  null->hypercalls.method = null->wiring.el2 ? "smc" : "hvc";
}

void null_wiring_clear(NullWiring *null) {
  g_clear_pointer(&null->clock, clock_host_free);
}
