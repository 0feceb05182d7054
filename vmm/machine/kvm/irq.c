/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines and messages on KVM. Linux: Documentation/virt/kvm/api.rst, KVM_IRQ_LINE, KVM_IRQFD, KVM_SET_GSI_ROUTING.
 *
 * A level line is KVM_IRQ_LINE, which names an SPI by its INTID. An edge line and a message are irqfds: an event
 * descriptor bound to a GSI, of which a routing table says where it goes: an SPI by its number (INTID - 32), or a
 * message. GSI n below MSI_GSI_BASE is SPI n. A descriptor of somebody else's may be bound too: KVM then takes its
 * signals before any reader of it sees them (Linux: virt/kvm/eventfd.c, irqfd_wakeup, which is the first in the queue).
 *
 * Locks: `lock` guards the tables and vm_fd; signalling an irqfd takes none. A level line has a lock of its own so that
 * two threads cannot swap the order of their changes.
 */
#include "vmm/machine/kvm/irq.h"

#include <errno.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "devices/exit-path.h"
#include "devices/gicv2m.h"
#include "vmm/arm/kvm-abi.h"
#include "vmm/machine/kvm/call.h"
#include "vmm/machine/machine.h"

#define MSI_GSI_BASE 1024 /* above every SPI */
#define MAX_MSI      1024 /* with the SPIs well below KVM's 4096 routes */

typedef struct {
  IrqLine line;
  Irq *irq;
  uint32_t spi;
  int event_fd; /* edge lines; -1: level */
  GMutex lock;  /* level */
  bool level;
} KvmLine;

struct MsiRoute {
  Irq *irq;
  uint32_t gsi, device_id;
  bool set;
  uint64_t address;
  uint32_t data;
  int event_fd;
  GArray *attached; /* of int: event descriptors of others; NULL: none */
};

struct Irq {
  IrqLines wires; /* first */
  MsiController msi;
  GicVersion gic;
  GMutex lock;
  int vm_fd;         /* -1: not connected */
  GPtrArray *lines;  /* of KvmLine, index SPI; NULL: not in use */
  GPtrArray *routes; /* of MsiRoute, index gsi - MSI_GSI_BASE; NULL: free */
};

/* Lines. */

ON_EXIT_PATH static void level_set(IrqLine *line, bool level) {
  KvmLine *wire = (KvmLine *)line;
  struct kvm_irq_level request = {
      .irq = KVM_ARM_IRQ_TYPE_SPI << KVM_ARM_IRQ_TYPE_SHIFT | (wire->spi + SPI_TO_INTID),
      .level = level,
  };

  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&wire->lock);
  if (wire->level != level) {
    wire->level = level;
    if (wire->irq->vm_fd >= 0)
      ioctl(wire->irq->vm_fd, KVM_IRQ_LINE, &request);
  }
}

static void edge_set(IrqLine *line, bool level) {
  if (level)
    eventfd_write(((KvmLine *)line)->event_fd, 1);
}

static void line_free(gpointer data) {
  KvmLine *wire = data;

  if (!wire)
    return;
  if (wire->event_fd >= 0)
    close(wire->event_fd);
  g_mutex_clear(&wire->lock);
  g_free(wire);
}

static bool bind_event(Irq *irq, int event_fd, uint32_t gsi, bool bind) {
  struct kvm_irqfd request = {.fd = (uint32_t)event_fd, .gsi = gsi, .flags = bind ? 0 : KVM_IRQFD_FLAG_DEASSIGN};

  return irq->vm_fd < 0 || ioctl(irq->vm_fd, KVM_IRQFD, &request) == 0;
}

static IrqLine *irq_line(IrqLines *wires, uint32_t spi, FdtIrqTrigger trigger) {
  Irq *irq = (Irq *)wires;

  g_assert(spi + SPI_TO_INTID < LAYOUT_GIC_IRQS);
  KvmLine *wire = g_ptr_array_index(irq->lines, spi);

  if (wire)
    return &wire->line;
  wire = g_new0(KvmLine, 1);
  wire->irq = irq;
  wire->spi = spi;
  g_mutex_init(&wire->lock);
  wire->line.set = trigger == FDT_IRQ_EDGE_RISING ? edge_set : level_set;
  wire->event_fd = trigger == FDT_IRQ_EDGE_RISING ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1;

  g_mutex_lock(&irq->lock);
  g_ptr_array_index(irq->lines, spi) = wire;
  if (wire->event_fd >= 0 && !bind_event(irq, wire->event_fd, spi, true))
    g_warning("SPI %u: KVM takes no event descriptor: %s", spi, g_strerror(errno));
  g_mutex_unlock(&irq->lock);
  return &wire->line;
}

/* Messages. */

/* Where a route leads: with an ITS the message itself, with a GICv2m frame the SPI it names. False: nowhere. */
static bool route_entry(const Irq *irq, const MsiRoute *route, struct kvm_irq_routing_entry *entry) {
  *entry = (struct kvm_irq_routing_entry){.gsi = route->gsi};
  if (irq->gic == GIC_V3) {
    entry->type = KVM_IRQ_ROUTING_MSI;
    entry->flags = KVM_MSI_VALID_DEVID;
    entry->u.msi = (struct kvm_irq_routing_msi){
        .address_lo = (uint32_t)route->address,
        .address_hi = (uint32_t)(route->address >> 32),
        .data = route->data,
        .devid = route->device_id,
    };
    return true;
  }
  const uint32_t first = LAYOUT_SPI_GICV2M + SPI_TO_INTID;
  if (route->address != LAYOUT_GICV2M + GICV2M_SETSPI_NS || route->data < first || route->data >= first + GICV2M_SPIS)
    return false;
  entry->type = KVM_IRQ_ROUTING_IRQCHIP;
  entry->u.irqchip.pin = route->data - SPI_TO_INTID;
  return true;
}

/* Hands KVM the whole routing table. With the lock held. */
static bool update_routing(Irq *irq) {
  g_autofree struct kvm_irq_routing *table = NULL;

  if (irq->vm_fd < 0)
    return true;
  table = g_malloc0(sizeof *table + (irq->lines->len + irq->routes->len) * sizeof table->entries[0]);
  for (unsigned i = 0; i < irq->lines->len; i++) {
    const KvmLine *wire = g_ptr_array_index(irq->lines, i);
    if (wire && wire->event_fd >= 0)
      table->entries[table->nr++] = (struct kvm_irq_routing_entry){
          .gsi = wire->spi,
          .type = KVM_IRQ_ROUTING_IRQCHIP,
          .u.irqchip.pin = wire->spi,
      };
  }
  for (unsigned i = 0; i < irq->routes->len; i++) {
    const MsiRoute *route = g_ptr_array_index(irq->routes, i);
    if (route && route->set && route_entry(irq, route, &table->entries[table->nr]))
      table->nr++;
  }
  return ioctl(irq->vm_fd, KVM_SET_GSI_ROUTING, table) == 0;
}

static MsiRoute *route_new(MsiController *controller, uint32_t device_id) {
  Irq *irq = (Irq *)((char *)controller - offsetof(Irq, msi));
  MsiRoute *route = NULL;
  unsigned place = 0;

  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&irq->lock);
  while (place < irq->routes->len && g_ptr_array_index(irq->routes, place))
    place++;
  if (place < MAX_MSI) {
    route = g_new(MsiRoute, 1);
    *route = (MsiRoute){.irq = irq, .gsi = MSI_GSI_BASE + place, .device_id = device_id, .event_fd = -1};
    if (place == irq->routes->len)
      g_ptr_array_add(irq->routes, NULL);
    g_ptr_array_index(irq->routes, place) = route;
  }
  return route;
}

static void route_set(MsiRoute *route, uint64_t address, uint32_t data) {
  Irq *irq = route->irq;

  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&irq->lock);
  if (!route->set || route->address != address || route->data != data) {
    bool first = !route->set;
    route->set = true;
    route->address = address;
    route->data = data;
    if (first)
      route->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (!update_routing(irq) || (first && !bind_event(irq, route->event_fd, route->gsi, true)))
      g_warning("a message-signalled interrupt cannot be routed: %s", g_strerror(errno));
  }
}

static unsigned attached_to(const MsiRoute *route) {
  return route->attached ? route->attached->len : 0;
}

static void route_signal(MsiRoute *route) {
  if (route->set)
    eventfd_write(route->event_fd, 1);
}

static bool route_attach(MsiRoute *route, int fd) {
  Irq *irq = route->irq;

  g_mutex_lock(&irq->lock);
  bool bound = route->set && bind_event(irq, fd, route->gsi, true);
  if (bound && !route->attached)
    route->attached = g_array_new(FALSE, FALSE, sizeof(int));
  if (bound)
    g_array_append_val(route->attached, fd);
  g_mutex_unlock(&irq->lock);
  return bound;
}

static void route_detach(MsiRoute *route, int fd) {
  Irq *irq = route->irq;

  g_mutex_lock(&irq->lock);
  for (unsigned i = 0; i < attached_to(route); i++)
    if (g_array_index(route->attached, int, i) == fd) {
      bind_event(irq, fd, route->gsi, false);
      g_array_remove_index_fast(route->attached, i);
      break;
    }
  g_mutex_unlock(&irq->lock);
}

static void route_free(MsiRoute *route) {
  if (!route)
    return;
  Irq *irq = route->irq;
  g_mutex_lock(&irq->lock);
  g_ptr_array_index(irq->routes, route->gsi - MSI_GSI_BASE) = NULL;
  if (route->set) {
    bind_event(irq, route->event_fd, route->gsi, false);
    update_routing(irq);
  }
  g_mutex_unlock(&irq->lock);
  if (route->event_fd >= 0)
    close(route->event_fd);
  g_clear_pointer(&route->attached, g_array_unref);
  g_free(route);
}

static const MsiControllerOps msi_ops = {
    .route_new = route_new,
    .route_set = route_set,
    .route_signal = route_signal,
    .route_free = route_free,
    .route_attach = route_attach,
    .route_detach = route_detach,
};

Irq *irq_new(GicVersion gic) {
  Irq *irq = g_new0(Irq, 1);

  irq->wires.line = irq_line;
  irq->msi.ops = &msi_ops;
  irq->gic = gic;
  irq->vm_fd = -1;
  g_mutex_init(&irq->lock);
  irq->lines = g_ptr_array_new_with_free_func(line_free);
  g_ptr_array_set_size(irq->lines, LAYOUT_GIC_IRQS - SPI_TO_INTID);
  irq->routes = g_ptr_array_new();
  return irq;
}

void irq_free(Irq *irq) {
  if (!irq)
    return;
  g_ptr_array_unref(irq->lines);
  g_ptr_array_unref(irq->routes);
  g_mutex_clear(&irq->lock);
  g_free(irq);
}

IrqLines *irq_lines(Irq *irq) {
  return &irq->wires;
}

MsiController *irq_msi(Irq *irq) {
  return &irq->msi;
}

/* A new GIC has every line low: high ones are raised again. */
static bool connect_lines(Irq *irq) {
  for (unsigned spi = 0; spi < irq->lines->len; spi++) {
    KvmLine *wire = g_ptr_array_index(irq->lines, spi);
    if (!wire)
      continue;
    if (wire->event_fd >= 0 && !bind_event(irq, wire->event_fd, spi, true))
      return false;
    if (wire->level) {
      wire->level = false;
      level_set(&wire->line, true);
    }
  }
  return true;
}

static bool connect_routes(Irq *irq) {
  for (unsigned i = 0; i < irq->routes->len; i++) {
    const MsiRoute *route = g_ptr_array_index(irq->routes, i);
    if (route && route->set && !bind_event(irq, route->event_fd, route->gsi, true))
      return false;
    for (unsigned j = 0; route && j < attached_to(route); j++)
      if (!bind_event(irq, g_array_index(route->attached, int, j), route->gsi, true))
        return false;
  }
  return true;
}

bool irq_connect(Irq *irq, int vm_fd, GError **error) {
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&irq->lock);

  irq->vm_fd = vm_fd;
  if (update_routing(irq) && connect_lines(irq) && connect_routes(irq))
    return true;
  irq->vm_fd = -1;
  return kvm_fail(error, "cannot connect interrupts to the VM");
}
