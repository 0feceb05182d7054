/* SPDX-License-Identifier: Apache-2.0 */
/* The GICv2m frame: devices/gicv2m.c. */
#include <glib.h>

#include "devices/gicv2m.h"

#define FIRST_SPI 48
#define N_SPIS    64

typedef struct {
  IrqLines lines;
  IrqLine line;
  uint32_t asked_for; /* INTID of the line that was handed out last */
  GArray *raised;     /* INTIDs, an element an edge */
} Wires;

static void raise_line(IrqLine *line, bool level) {
  Wires *wires = (Wires *)((char *)line - offsetof(Wires, line));

  g_assert_true(level);
  g_array_append_val(wires->raised, wires->asked_for);
}

static IrqLine *hand_out(IrqLines *lines, uint32_t spi, FdtIrqTrigger trigger) {
  Wires *wires = (Wires *)lines;

  g_assert_cmpint(trigger, ==, FDT_IRQ_EDGE_RISING);
  wires->asked_for = spi + SPI_TO_INTID;
  return &wires->line;
}

static Device *frame_new(Wires *wires, GArray *raised) {
  const DeviceSlot slot = {.spi = FIRST_SPI};

  *wires = (Wires){.lines = {hand_out}, .line = {raise_line}, .raised = raised};
  g_assert_cmpuint(gicv2m_kind.n_spis, ==, N_SPIS);
  return gicv2m_kind.make(&(DeviceParts){.slot = &slot, .irqs = &wires->lines}, NULL);
}

static void test_registers(void) {
  g_autoptr(GArray) raised = g_array_new(FALSE, FALSE, sizeof(uint32_t));
  Wires wires;
  g_autoptr(Device) frame = frame_new(&wires, raised);

  g_assert_cmphex(frame->ops->read(frame, 0x008, 4), ==, 80u << 16 | 64);
  g_assert_cmphex(frame->ops->read(frame, 0xfcc, 4), ==, 0);
  g_assert_cmphex(frame->ops->read(frame, 0x008, 1), ==, 64);
  g_assert_cmphex(frame->ops->read(frame, 0x00a, 1), ==, 80);
  g_assert_cmphex(frame->ops->read(frame, 0x00a, 2), ==, 80);
  g_assert_cmphex(frame->ops->access_sizes | frame->ops->read_sizes, ==, ACCESS_1 | ACCESS_2 | ACCESS_4);
  g_assert_cmphex(frame->ops->read(frame, 0x040, 4), ==, 0);
  g_assert_cmpstr(frame->ops->register_name(frame, 0x040), ==, "MSI_SETSPI_NS");
  g_assert_cmpstr(frame->ops->register_name(frame, 0x008), ==, "MSI_TYPER");
  g_assert_null(frame->ops->register_name(frame, 0x010));
}

static void test_set_spi(void) {
  static const uint64_t refused[] = {0, 31, 32, 79, 144, UINT32_MAX, UINT64_MAX};
  g_autoptr(GArray) raised = g_array_new(FALSE, FALSE, sizeof(uint32_t));
  Wires wires;
  g_autoptr(Device) frame = frame_new(&wires, raised);

  for (unsigned i = 0; i < G_N_ELEMENTS(refused); i++)
    frame->ops->write(frame, 0x040, 4, refused[i]);
  frame->ops->write(frame, 0x008, 4, 80);
  g_assert_cmpuint(raised->len, ==, 0);
  frame->ops->write(frame, 0x040, 4, 80);
  frame->ops->write(frame, 0x040, 4, 143);
  g_assert_cmpuint(raised->len, ==, 2);
  g_assert_cmpuint(g_array_index(raised, uint32_t, 0), ==, 80);
  g_assert_cmpuint(g_array_index(raised, uint32_t, 1), ==, 143);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/gicv2m/registers", test_registers);
  g_test_add_func("/gicv2m/set-spi", test_set_spi);
  return g_test_run();
}
