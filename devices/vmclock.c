/* SPDX-License-Identifier: Apache-2.0 */
/*
 * VMClock, in its basic form. Linux: include/uapi/linux/vmclock-abi.h, drivers/ptp/ptp_vmclock.c: a page that the
 * guest, and programs in it, look at before they trust a clock. It has a marker that changes when the machine's clock
 * has stood still, as it does while a machine is paused: what NTP has learnt of the counter is void then. Which time it
 * is, it does not say.
 *
 * Locks: the device's lock guards changes; who reads takes the sequence count for a lock, which is odd meanwhile.
 */
#include "devices/vmclock.h"

#include "devices/register-page.h"

/* struct vmclock_abi. */
enum {
  MAGIC = 0x00,
  SIZE = 0x04,
  VERSION = 0x08,
  COUNTER_ID = 0x0a,
  TIME_TYPE = 0x0b,
  SEQ_COUNT = 0x0c,
  DISRUPTION_MARKER = 0x10,
  FLAGS = 0x18,
  CLOCK_STATUS = 0x22,
  VM_GENERATION_COUNTER = 0x68,
  ABI_SIZE = 0x70,
};
#define MAGIC_VALUE          0x4b4c4356 /* "VCLK" */
#define COUNTER_INVALID      0xff       /* no time is told */
#define TIME_TAI             1
#define NOTIFICATION_PRESENT (1u << 9)
#define STATUS_UNKNOWN       0

typedef struct {
  uint32_t sequence;
  uint64_t disruptions;
} VmClockState;

typedef struct {
  Device device;
  VmClockState state;
  IrqLine *irq;
  RegisterPage page;
  bool paused;
} VmClock;

static uint64_t vmclock_read(Device *device, uint64_t offset, unsigned size) {
  return register_page_get(&((VmClock *)device)->page, offset, size);
}

static void vmclock_write(Device *device, uint64_t offset, unsigned size, uint64_t value) {
}

static const char *vmclock_register_name(const Device *device, uint64_t offset) {
  switch (offset) {
  case SEQ_COUNT:
    return "seq_count";
  case DISRUPTION_MARKER:
    return "disruption_marker";
  case VM_GENERATION_COUNTER:
    return "vm_generation_counter";
  default:
    return offset < ABI_SIZE ? "vmclock" : NULL;
  }
}

/* Linux: bindings/ptp/amazon,vmclock.yaml. */
static void vmclock_describe(const Device *device, const DeviceSlot *slot, FdtWriter *fdt) {
  fdt_writer_begin_at(fdt, "vmclock", slot->base);
  fdt_writer_string(fdt, "compatible", "amazon,vmclock");
  fdt_writer_reg(fdt, slot->base, slot->size);
  fdt_writer_interrupt(fdt, FDT_IRQ_SPI, slot->spi, slot->trigger);
  fdt_writer_end(fdt);
}

/* Its wire is the event device's. */
static void vmclock_describe_acpi(const Device *device, const DeviceSlot *slot, AcpiWriter *acpi) {
  Aml *aml = acpi->aml;

  aml_begin_device(aml, "VCLK");
  aml_name_string(aml, "_HID", "AMZNC10C");
  aml_name_string(aml, "_CID", "VMCLOCK");
  aml_name_string(aml, "_DDN", "VMCLOCK");
  aml_name_integer(aml, "_UID", 0);
  aml_registers(aml, slot->base, slot->size, 0, slot->trigger);
  aml_end(aml);
  aml_event_device(aml, "GED1", 1, device_slot_gsi(slot), slot->trigger, "\\_SB.VCLK");
}

static void vmclock_connect(Device *device, const DeviceSlot *slot, Shortcuts *shortcuts) {
  VmClock *clock = (VmClock *)device;

  register_page_connect(&clock->page, shortcuts, slot->base);
  register_page_open(&clock->page);
}

static void begin_change(VmClock *clock) {
  register_page_set(&clock->page, SEQ_COUNT, 4, ++clock->state.sequence);
  __atomic_thread_fence(__ATOMIC_SEQ_CST); /* who sees what follows sees that it is odd */
}

static void end_change(VmClock *clock) {
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  register_page_set(&clock->page, SEQ_COUNT, 4, ++clock->state.sequence);
  irq_line_set(clock->irq, true);
}

/* The guest that was paused is gone. */
static void vmclock_reset(Device *device) {
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(device->lock);
  ((VmClock *)device)->paused = false;
}

static void vmclock_pause(Device *device) {
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(device->lock);
  ((VmClock *)device)->paused = true;
}

/* No vCPU runs yet: the guest sees the new marker with its first look. */
static void vmclock_resume(Device *device) {
  VmClock *clock = (VmClock *)device;

  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(device->lock);
  if (!clock->paused)
    return;
  clock->paused = false;
  begin_change(clock);
  register_page_set(&clock->page, DISRUPTION_MARKER, 8, ++clock->state.disruptions);
  end_change(clock);
}

static void vmclock_free(Device *device) {
  register_page_clear(&((VmClock *)device)->page);
  device_clear(device);
  g_free(device);
}

static const DeviceOps vmclock_ops = {
    .access_sizes = ACCESS_ANY,
    .read = vmclock_read,
    .write = vmclock_write,
    .register_name = vmclock_register_name,
    .describe = vmclock_describe,
    .describe_acpi = vmclock_describe_acpi,
    .connect = vmclock_connect,
    .reset = vmclock_reset,
    .pause = vmclock_pause,
    .resume = vmclock_resume,
    .free = vmclock_free,
};

static Device *vmclock_make(const DeviceParts *parts, GError **error) {
  VmClock *clock = device_new(sizeof *clock, &vmclock_ops, "vmclock");

  clock->irq = parts->irq;
  register_page_init(&clock->page, VMCLOCK_SIZE);
  register_page_set(&clock->page, MAGIC, 4, MAGIC_VALUE);
  register_page_set(&clock->page, SIZE, 4, VMCLOCK_SIZE);
  register_page_set(&clock->page, VERSION, 2, 1);
  register_page_set(&clock->page, COUNTER_ID, 1, COUNTER_INVALID);
  register_page_set(&clock->page, TIME_TYPE, 1, TIME_TAI);
  register_page_set(&clock->page, FLAGS, 8, NOTIFICATION_PRESENT);
  register_page_set(&clock->page, CLOCK_STATUS, 1, STATUS_UNKNOWN);
  return &clock->device;
}

const DeviceKind vmclock_kind = {
    .name = "vmclock",
    .note = "disruptions",
    .size = VMCLOCK_SIZE,
    .n_spis = 1,
    .trigger = FDT_IRQ_EDGE_RISING,
    .make = vmclock_make,
};
