/* SPDX-License-Identifier: Apache-2.0 */
#include "exception.h"

#include "gic.h"
#include "guest.h"
#include "layout.h"

_Static_assert(sizeof(ExceptionFrame) <= FRAME_SIZE && FRAME_SIZE - sizeof(ExceptionFrame) < 16, "start.S keeps room for it");

static SyncHandler sync_handler;
static IrqHandler irq_handler;

SyncHandler exception_set_sync_handler(SyncHandler handler) {
  SyncHandler before = sync_handler;
  sync_handler = handler;
  return before;
}

void exception_set_irq_handler(IrqHandler handler) {
  irq_handler = handler;
}

/* Any number may be pending; the rest comes as soon as ERET unmasks interrupts again. */
static void handle_irq(void) {
  GicInterrupt interrupt = gic_acknowledge();

  if (interrupt.intid == GIC_SPURIOUS)
    return;
  if (!irq_handler)
    guest_fail("interrupt %u, and nobody waits for one", interrupt.intid);
  irq_handler(interrupt.intid);
  gic_end(interrupt);
}

static void fail(const ExceptionFrame *frame, unsigned vector) {
  for (unsigned i = 0; i < 31; i++)
    print("x%-2u %016lx%s", i, frame->x[i], i % 4 == 3 ? "\n" : "  ");
  print("\nelr %016lx  spsr %016lx  esr %016lx  far %016lx\n", frame->elr, frame->spsr, frame->esr, frame->far);
  guest_fail("exception on CPU %u: vector 0x%03x, class 0x%02x", cpu_index(), VECTOR_OFFSET(vector), ESR_EC(frame->esr));
}

void exception_handle(ExceptionFrame *frame, unsigned vector) {
  static unsigned failing;

  if (VECTOR_KIND(vector) == VECTOR_IRQ && VECTOR_ORIGIN(vector) != VECTOR_EL0_AARCH32) {
    handle_irq();
    return;
  }
  if (VECTOR_KIND(vector) == VECTOR_SYNCHRONOUS && sync_handler && sync_handler(frame, vector))
    return;
  if (__atomic_fetch_add(&failing, 1, __ATOMIC_RELAXED) == 0)
    fail(frame, vector);
  for (;;) /* failing twice: not even printing works */
    wait_for_interrupt();
}
