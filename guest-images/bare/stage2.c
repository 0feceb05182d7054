/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Outside the map. Our own translation (stage 1) maps these addresses; the hypervisor's (stage 2), which turns our
 * physical addresses into memory, does not. The access traps to EL2, KVM hands it to eret, no device claims it, and
 * eret lets reads give zeros and writes do nothing. On other machines it may be an external abort instead.
 *
 * That needs the CPU to say which register and how many bytes (ESR_EL2.ISV). For a pair of registers it does not, and
 * eret fetches the instruction to see. Many a hypervisor ends the machine there: the boot argument `no-pairs` leaves
 * them out.
 */
#include "exception.h"
#include "guest.h"
#include "mmu.h"

const char *const guest_name = "stage2";

#define HOLE 0x0b000000 /* between the virtio transports and the PCI window */

static unsigned n_aborts;

static bool note_abort(ExceptionFrame *frame, unsigned vector) {
  (void)vector;
  if (ESR_EC(frame->esr) != EC_DATA_ABORT || ESR_DFSC(frame->esr) != DFSC_EXTERNAL_ABORT)
    return false;
  n_aborts++;
  frame->elr += INSTRUCTION_SIZE;
  return true;
}

/* Zeros of every width: not only of the register's low part, the whole of it. */
static uint64_t read_all(uint64_t address) {
  return mmio_read64(address) | mmio_read32(address) | mmio_read16(address) | mmio_read8(address) | mmio_read8(address + 7);
}

static void write_all(uint64_t address) {
  mmio_write64(address, ~0ull);
  mmio_write32(address, ~0u);
  mmio_write16(address, 0xffff);
  mmio_write8(address, 0xff);
}

/* LDRSB of a zero is a zero as well; of anything else it would show in all 64 bits. */
static uint64_t read_signed(uint64_t address) {
  uint64_t value;
  asm volatile("ldrsb %0, [%1]" : "=r"(value) : "r"(address) : "memory");
  return value;
}

static uint64_t read_pair(uint64_t address) {
  uint64_t first, second;
  asm volatile("ldp %0, %1, [%2]" : "=&r"(first), "=&r"(second) : "r"(address) : "memory");
  return first | second;
}

static void probe(const char *where, uint64_t address) {
  unsigned before = n_aborts;

  if (address >= USER_WINDOW) { /* with so much RAM there is no room in our own translation */
    print("0x%09lx, %s: not tried\n", address, where);
    return;
  }
  if (!mmu_is_mapped(address))
    mmu_map_device(address);
  uint64_t read = read_all(address) | read_signed(address) | (argument_present("no-pairs") ? 0 : read_pair(address));
  write_all(address);
  read |= read_all(address);

  if (n_aborts != before) {
    print("0x%09lx, %s: external aborts\n", address, where);
    return;
  }
  print("0x%09lx, %s: reads give %s, writes are ignored\n", address, where, read ? "something" : "zeros");
  if (read)
    guest_fail("%s, 0x%lx: reads give 0x%lx", where, address, read);
}

void guest_main(void) {
  exception_set_sync_handler(note_abort);
  probe("between the devices", HOLE);
  probe("just above RAM", machine.ram_base + machine.ram_size);
  probe("far above RAM", USER_WINDOW - 0x1000);
  if (n_aborts)
    guest_skip("this machine aborts %u accesses outside the map; eret would give zeros", n_aborts);
}
