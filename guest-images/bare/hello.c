/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hello by hypercall. No device is involved: the text travels in registers x2 to x17; HVC traps to EL2, KVM hands the
 * call to eret, eret prints, and ERET returns to the instruction behind the HVC. Where the host cannot forward HVC, the
 * doorbell page is the door.
 *
 * Boot arguments: lines=N (1).
 */
#include "guest.h"

const char *const guest_name = "hello";

void guest_main(void) {
  static const char text[] = "hello from EL1, by hypercall\n";

  struct eret_door door;

  if (!eret_find(&door))
    guest_skip("nobody answers eret's hypercalls here");
  for (uint64_t lines = argument_number("lines", 1); lines > 0; lines--) {
    int64_t result = eret_write(door, text, sizeof text - 1);
    if (result != ERET_SUCCESS)
      guest_fail("eret_write answers %ld", result);
  }
}
