/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a device interrupts: interfaces the machine implements on KVM's GIC and a test implements with an array.
 * Every call is allowed from any thread, with or without the device's lock.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "fdt/fdt-writer.h"

#define SPI_TO_INTID 32 /* SPI n is INTID n + 32: Arm IHI 0069, 2.2 */

/* A wire into the interrupt controller. */
typedef struct IrqLine IrqLine;
struct IrqLine {
  /* A level line holds LEVEL. On an edge line every set(true) is one edge, and set(false) does nothing. */
  void (*set)(IrqLine *line, bool level);
};

static inline void irq_line_set(IrqLine *line, bool level) {
  line->set(line, level);
}

/* The wires that there are. */
typedef struct IrqLines IrqLines;
struct IrqLines {
  /* That of SPI, whose trigger is TRIGGER; the same SPI gives the same line, which stays theirs. */
  IrqLine *(*line)(IrqLines *lines, uint32_t spi, FdtIrqTrigger trigger);
};

/* One source of message-signalled interrupts: a vector of one PCI function. */
typedef struct MsiRoute MsiRoute;
typedef struct MsiController MsiController;
typedef struct {
  /*
   * A new route for the function DEVICE_ID (bus << 8 | devfn), not yet pointing anywhere; NULL when there are no more.
   */
  MsiRoute *(*route_new)(MsiController *controller, uint32_t device_id);
  /* From now on the route sends DATA to ADDRESS. Cheap when nothing changed. */
  void (*route_set)(MsiRoute *route, uint64_t address, uint32_t data);
  /* Sends the message. Nothing happens on a route that was never set. */
  void (*route_signal)(MsiRoute *route);
  void (*route_free)(MsiRoute *route); /* takes NULL */
  /*
   * From now on whoever signals the event descriptor FD sends the message of a route that was set, without a visit to
   * this process, which does not see the signal then. False when the host cannot: it is then as if nobody had asked.
   * FD stays the caller's. Optional, both: NULL where no host ever can.
   */
  bool (*route_attach)(MsiRoute *route, int fd);
  void (*route_detach)(MsiRoute *route, int fd);
} MsiControllerOps;
struct MsiController {
  const MsiControllerOps *ops;
};

/* Doorbells: guest writes that wake an I/O thread without a visit to userspace (ioeventfd). */
typedef struct Doorbells Doorbells;
struct Doorbells {
  /*
   * From now on a guest write to ADDRESS signals the event descriptor FD. SIZE is 0 for any width, or else only writes
   * of that many bytes count, and with MATCH only those of VALUE. False when the host cannot: the write then reaches
   * the device's own write handler, which must signal FD itself. FD stays the caller's.
   */
  bool (*attach)(Doorbells *doorbells, uint64_t address, unsigned size, bool match, uint32_t value, int fd);
  /* Undoes an attach with the same arguments. */
  void (*detach)(Doorbells *doorbells, uint64_t address, unsigned size, bool match, uint32_t value, int fd);
};
