/* SPDX-License-Identifier: Apache-2.0 */
/* The scratch page: devices/scratch.c. */
#include "devices/scratch.h"

#include "devices/bus.h"

#define BASE 0x9200000

int main(int argc, char *argv[]) {
  g_autoptr(Bus) bus = bus_new();
  g_autoptr(Device) scratch = scratch_kind.make(&(DeviceParts){0}, NULL);
  const DeviceSlot slot = {.base = BASE, .size = SCRATCH_SIZE, .spi = DEVICE_NO_SPI};

  g_assert_true(bus_add(bus, &slot, scratch, NULL));
  bus_seal(bus);
  bus_write(bus, BASE + 8, 8, 0x8877665544332211);
  bus_write(bus, BASE + 13, 2, 0xabcd); /* any place, */
  g_assert_cmphex(bus_read(bus, BASE + 8, 8), ==, 0x88abcd5544332211);
  g_assert_cmphex(bus_read(bus, BASE + 11, 4), ==, 0xabcd5544 & 0xffffffff);
  g_assert_cmphex(bus_read(bus, BASE + 15, 1), ==, 0x88); /* any size, */
  bus_write(bus, BASE + SCRATCH_SIZE - 4, 8, UINT64_MAX); /* but not beyond the end */
  g_assert_cmphex(bus_read(bus, BASE + SCRATCH_SIZE - 4, 4), ==, 0);
  device_reset(scratch);
  g_assert_cmphex(bus_read(bus, BASE + 8, 8), ==, 0);
  g_print("1..1\nok 1 - the scratch page holds what is written to it\n");
  return 0;
}
