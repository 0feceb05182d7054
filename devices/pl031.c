/* SPDX-License-Identifier: Apache-2.0 */
/*
 * PL031 real-time clock. PrimeCell Real Time Clock (PL031) Technical Reference Manual, Arm DDI 0224. Counts seconds of
 * the host's wall clock plus an offset that the guest sets by loading a time; the alarm is a timer of the clock handed
 * in. Power-on loads the host's time.
 *
 * For a minute after power-on, when a kernel reads its clock, the registers lie in a page that the guest loads from,
 * and a timer turns RTCDR over in it; then the page is closed, as a machine that nobody asks for the time is not to
 * wake up each second.
 *
 * Locks: the device's lock guards the registers; the timers' callbacks, on the main thread, take it.
 */
#include "devices/pl031.h"

#include "devices/exit-path.h"
#include "devices/primecell.h"
#include "devices/units.h"

#define PERIPH_ID    0x00141031 /* revision 1: what QEMU's `virt` machine has and test programs look for */
#define OPEN_SECONDS 60         /* the slowest of boots */

/* Register offsets: DDI 0224, 3.2. */
#define RTCCR_START 1 /* the counter always runs: the bit can only be set, and is */
enum { RTCDR = 0x000, RTCMR = 0x004, RTCLR = 0x008, RTCCR = 0x00c, RTCIMSC = 0x010, RTCRIS = 0x014, RTCMIS = 0x018, RTCICR = 0x01c };

typedef struct {
  uint32_t offset; /* RTCDR minus the host's seconds, modulo 2^32 */
  uint32_t mr, lr, imsc, ris;
} Pl031State;

typedef struct {
  Device device;
  Pl031State state;
  IrqLine *irq;
  Clock *clock;
  ClockTimer *alarm;
  int64_t deadline; /* of the alarm, in the host's nanoseconds */
  RegisterPage page;
  ClockTimer *turn;  /* at the next second, while the page is open */
  unsigned open_for; /* seconds */
} Pl031;

static int64_t host_seconds(const Pl031 *rtc) {
  return rtc->clock->ops->real_time(rtc->clock) / NS_PER_SECOND;
}

static uint32_t now(const Pl031 *rtc) {
  return (uint32_t)host_seconds(rtc) + rtc->state.offset;
}

static void store_time(Pl031 *rtc) {
  register_page_set(&rtc->page, RTCDR, 4, now(rtc));
}

static void store(Pl031 *rtc, unsigned offset, uint32_t value) {
  register_page_set(&rtc->page, offset, 4, value);
}

/* After any change of the interrupt or its mask. */
ON_EXIT_PATH static void update_interrupt(Pl031 *rtc) {
  const Pl031State *state = &rtc->state;

  store(rtc, RTCRIS, state->ris);
  store(rtc, RTCMIS, state->ris & state->imsc);
  irq_line_set(rtc->irq, state->ris & state->imsc);
}

/* Power-on. */
static void update(Pl031 *rtc) {
  const Pl031State *state = &rtc->state;

  store(rtc, RTCMR, state->mr);
  store(rtc, RTCLR, state->lr);
  store(rtc, RTCCR, RTCCR_START);
  store(rtc, RTCIMSC, state->imsc);
  update_interrupt(rtc);
}

static void await_next_second(Pl031 *rtc) {
  rtc->clock->ops->timer_arm(rtc->turn, (host_seconds(rtc) + 1) * NS_PER_SECOND);
}

static void second_turned(void *opaque) {
  Pl031 *rtc = opaque;

  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(rtc->device.lock);
  store_time(rtc);
  if (rtc->open_for > 0 && --rtc->open_for > 0)
    await_next_second(rtc);
  else
    register_page_close(&rtc->page);
}

/* With the lock, or before anyone else knows the device. */
static void open_page(Pl031 *rtc) {
  if (!rtc->page.shortcuts)
    return;
  rtc->open_for = OPEN_SECONDS;
  store_time(rtc);
  register_page_open(&rtc->page);
  await_next_second(rtc);
}

/*
 * The match register is compared as the counter goes on: a moment that has passed comes again in 2^32 seconds, one that
 * is now matches now.
 */
static void arm_alarm(Pl031 *rtc) {
  int64_t seconds = host_seconds(rtc);
  uint32_t left = rtc->state.mr - ((uint32_t)seconds + rtc->state.offset);

  rtc->deadline = (seconds + left) * NS_PER_SECOND;
  rtc->clock->ops->timer_arm(rtc->alarm, rtc->deadline);
}

static void alarm_expired(void *opaque) {
  Pl031 *rtc = opaque;

  /* The guest may have moved the alarm while this call was on its way. */
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(rtc->device.lock);
  if (rtc->clock->ops->real_time(rtc->clock) >= rtc->deadline) {
    rtc->deadline = INT64_MAX;
    rtc->state.ris = 1;
    update_interrupt(rtc);
  }
}

ON_EXIT_PATH static uint64_t pl031_read(Device *device, uint64_t offset, unsigned size) {
  Pl031 *rtc = (Pl031 *)device;

  if (offset < RTCMR) /* any byte of RTCDR */
    store_time(rtc);
  return register_page_get(&rtc->page, offset, size);
}

ON_EXIT_PATH static void pl031_write(Device *device, uint64_t offset, unsigned size, uint64_t value) {
  Pl031 *rtc = (Pl031 *)device;

  switch (offset) {
  case RTCMR:
    rtc->state.mr = (uint32_t)value;
    store(rtc, RTCMR, rtc->state.mr);
    arm_alarm(rtc);
    break;
  case RTCLR:
    rtc->state.lr = (uint32_t)value;
    rtc->state.offset += (uint32_t)value - now(rtc);
    store(rtc, RTCLR, rtc->state.lr);
    store_time(rtc);
    arm_alarm(rtc);
    break;
  case RTCIMSC:
    rtc->state.imsc = value & 1;
    store(rtc, RTCIMSC, rtc->state.imsc);
    update_interrupt(rtc);
    break;
  case RTCICR:
    if (rtc->state.ris & value) {
      rtc->state.ris = 0;
      update_interrupt(rtc);
    }
    break;
  }
}

static const char *pl031_register_name(const Device *device, uint64_t offset) {
  static const char *const names[] = {"RTCDR", "RTCMR", "RTCLR", "RTCCR", "RTCIMSC", "RTCRIS", "RTCMIS", "RTCICR"};

  if (offset <= RTCICR && offset % 4 == 0)
    return names[offset / 4];
  return primecell_id_name(offset, "RTCPeriphID", "RTCPCellID");
}

static void pl031_describe(const Device *device, const DeviceSlot *slot, FdtWriter *fdt) {
  primecell_begin_node(fdt, "pl031", slot, PERIPH_ID);
  fdt_writer_u32(fdt, "clocks", FDT_PHANDLE_APB_CLOCK);
  fdt_writer_string(fdt, "clock-names", "apb_pclk");
  fdt_writer_end(fdt);
}

static void pl031_reset(Device *device) {
  Pl031 *rtc = (Pl031 *)device;

  /* A battery keeps the time the guest has set over its reboot; the rest is power-on state. */
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(device->lock);
  rtc->state = (Pl031State){.offset = rtc->state.offset};
  rtc->deadline = INT64_MAX;
  rtc->clock->ops->timer_arm(rtc->alarm, rtc->deadline);
  update(rtc);
  open_page(rtc);
}

static void pl031_connect(Device *device, const DeviceSlot *slot, Shortcuts *shortcuts) {
  Pl031 *rtc = (Pl031 *)device;

  register_page_connect(&rtc->page, shortcuts, slot->base);
  open_page(rtc);
}

static void pl031_free(Device *device) {
  Pl031 *rtc = (Pl031 *)device;

  rtc->clock->ops->timer_free(rtc->turn);
  register_page_clear(&rtc->page);
  rtc->clock->ops->timer_free(rtc->alarm);
  device_clear(device);
  g_free(rtc);
}

static const DeviceOps pl031_ops = {
    .access_sizes = ACCESS_4,
    .read_sizes = ACCESS_ANY,
    .read = pl031_read,
    .write = pl031_write,
    .register_name = pl031_register_name,
    .describe = pl031_describe,
    .connect = pl031_connect,
    .reset = pl031_reset,
    .free = pl031_free,
};

static Device *pl031_make(const DeviceParts *parts, GError **error) {
  Clock *clock = parts->clock;
  Pl031 *rtc = device_new(sizeof *rtc, &pl031_ops, "pl031");

  rtc->irq = parts->irq;
  rtc->clock = clock;
  rtc->deadline = INT64_MAX;
  rtc->alarm = clock->ops->timer_new(clock, alarm_expired, rtc);
  rtc->turn = clock->ops->timer_new(clock, second_turned, rtc);
  primecell_init_page(&rtc->page, PERIPH_ID);
  store(rtc, RTCCR, RTCCR_START);
  return &rtc->device;
}

const DeviceKind pl031_kind = {
    .name = "pl031",
    .size = PL031_SIZE,
    .n_spis = 1,
    .trigger = FDT_IRQ_LEVEL_HIGH,
    .apb_clock = true,
    .make = pl031_make,
};
