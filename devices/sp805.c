/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SP805 watchdog. Watchdog Module (SP805) Technical Reference Manual, Arm DDI 0270: a counter that interrupts when it
 * comes to zero, begins again, and resets the machine when it comes there once more and nobody has cleared the
 * interrupt. What the reset does is the machine's to say.
 *
 * The counter is not counted: it is known since when it runs, and from what. A timer is armed for the next moment at
 * which anything happens, which after an interrupt is only the reset; so a guest cannot keep the host busy with it.
 *
 * Locks: the device's lock guards all; the timer's callback, on the main thread, takes it.
 */
#include "devices/sp805.h"

#include "devices/guest-events.h"
#include "devices/primecell.h"
#include "devices/units.h"
#include "fdt/fdt-nodes.h"

#define PERIPH_ID  0x00141805
#define UNLOCK     0x1acce551
#define LOAD_RESET UINT32_MAX

/* Register offsets: DDI 0270, 3.2. */
enum { WDOGLOAD = 0x000, WDOGVALUE = 0x004, WDOGCONTROL = 0x008, WDOGINTCLR = 0x00c, WDOGRIS = 0x010, WDOGMIS = 0x014, WDOGLOCK = 0xc00 };

/* WdogControl: 3.3.3. INTEN lets the counter run, too. */
enum { INTEN = 1 << 0, RESEN = 1 << 1 };

typedef struct {
  uint32_t load, control;
  bool interrupt; /* WdogRIS */
  bool locked;    /* all registers but WdogLock ignore writes */
  uint32_t from;  /* what the counter ran from, at `since`; where it does not run, what it stands at */
  int64_t since;  /* steady nanoseconds */
} Sp805State;

typedef struct {
  Device device;
  Sp805State state;
  IrqLine *irq;
  Clock *clock;
  ClockTimer *timer;
  GuestEvents *events;
  bool paused;
  int64_t paused_at;
} Sp805;

static int64_t now(const Sp805 *watchdog) {
  return watchdog->paused ? watchdog->paused_at : watchdog->clock->ops->steady_time(watchdog->clock);
}

static bool runs(const Sp805State *state) {
  return state->control & INTEN;
}

/* 24 MHz are 3 counts in 125 ns. */
G_STATIC_ASSERT(FDT_APB_CLOCK_HZ == 24000000);
#define NS_OF(COUNTS) ((int64_t)(COUNTS)*125 / 3)
#define COUNTS_OF(NS) ((uint64_t)(NS)*3 / 125)

/* Of the counter: after zero it begins again from WdogLoad. */
static uint32_t value(const Sp805 *watchdog) {
  const Sp805State *state = &watchdog->state;

  if (!runs(state))
    return state->from;
  uint64_t counts = COUNTS_OF(now(watchdog) - state->since);
  if (counts <= state->from)
    return state->from - (uint32_t)counts;
  return state->load - (uint32_t)((counts - state->from - 1) % ((uint64_t)state->load + 1));
}

/* When the counter is at zero next, or once more where it was there already. */
static int64_t deadline(const Sp805State *state) {
  return state->since + NS_OF(state->from) + (state->interrupt ? NS_OF((uint64_t)state->load + 1) : 0);
}

/* After any change. */
static void update(Sp805 *watchdog) {
  const Sp805State *state = &watchdog->state;
  bool waits = runs(state) && (!state->interrupt || state->control & RESEN) && !watchdog->paused;

  irq_line_set(watchdog->irq, state->interrupt && runs(state));
  watchdog->clock->ops->timer_arm(watchdog->timer, waits ? deadline(state) : INT64_MAX);
}

/* The counter goes on from COUNTS, now. */
static void restart(Sp805 *watchdog, uint32_t counts) {
  watchdog->state.from = counts;
  watchdog->state.since = now(watchdog);
}

static void expired(void *opaque) {
  Sp805 *watchdog = opaque;
  Sp805State *state = &watchdog->state;

  /* The guest may have served it while this call was on its way. */
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(watchdog->device.lock);
  if (watchdog->paused || !runs(state) || now(watchdog) < deadline(state))
    return;
  if (!state->interrupt) {
    state->interrupt = true;
    update(watchdog);
  } else if (state->control & RESEN) {
    state->control = 0; /* once */
    update(watchdog);
    watchdog->events->watchdog_expired(watchdog->events);
  }
}

static uint64_t sp805_read(Device *device, uint64_t offset, unsigned size) {
  const Sp805 *watchdog = (const Sp805 *)device;
  const Sp805State *state = &watchdog->state;

  switch (offset) {
  case WDOGLOAD:
    return state->load;
  case WDOGVALUE:
    return value(watchdog);
  case WDOGCONTROL:
    return state->control;
  case WDOGRIS:
    return state->interrupt;
  case WDOGMIS:
    return state->interrupt && runs(state);
  case WDOGLOCK:
    return state->locked;
  default:
    return primecell_id(offset, PERIPH_ID);
  }
}

static void write_control(Sp805 *watchdog, uint32_t control) {
  Sp805State *state = &watchdog->state;
  bool ran = runs(state);

  if (ran && !(control & INTEN))
    restart(watchdog, value(watchdog)); /* it stands there */
  state->control = control & (INTEN | RESEN);
  if (!ran && runs(state))
    restart(watchdog, state->load);
}

static void sp805_write(Device *device, uint64_t offset, unsigned size, uint64_t written) {
  Sp805 *watchdog = (Sp805 *)device;
  Sp805State *state = &watchdog->state;

  if (offset == WDOGLOCK) {
    state->locked = written != UNLOCK;
    return;
  }
  if (state->locked)
    return;
  switch (offset) {
  case WDOGLOAD:
    state->load = (uint32_t)written;
    restart(watchdog, state->load);
    break;
  case WDOGCONTROL:
    write_control(watchdog, (uint32_t)written);
    break;
  case WDOGINTCLR: /* any value */
    state->interrupt = false;
    restart(watchdog, state->load);
    break;
  default:
    return;
  }
  update(watchdog);
}

static const char *sp805_register_name(const Device *device, uint64_t offset) {
  static const char *const names[] = {"WdogLoad", "WdogValue", "WdogControl", "WdogIntClr", "WdogRIS", "WdogMIS"};

  if (offset == WDOGLOCK)
    return "WdogLock";
  if (offset <= WDOGMIS && offset % 4 == 0)
    return names[offset / 4];
  return primecell_id_name(offset, "WdogPeriphID", "WdogPCellID");
}

/* Linux: bindings/watchdog/arm,sp805.yaml. ACPI has no name for it. */
static void sp805_describe(const Device *device, const DeviceSlot *slot, FdtWriter *fdt) {
  static const char *const clock_names[] = {"wdog_clk", "apb_pclk"};
  static const uint32_t clocks[] = {FDT_PHANDLE_APB_CLOCK, FDT_PHANDLE_APB_CLOCK};

  primecell_begin_node(fdt, "sp805", slot, PERIPH_ID);
  fdt_writer_cells(fdt, "clocks", clocks, G_N_ELEMENTS(clocks));
  fdt_writer_strings(fdt, "clock-names", clock_names, G_N_ELEMENTS(clock_names));
  fdt_writer_end(fdt);
}

static void power_on(Sp805 *watchdog) {
  watchdog->state = (Sp805State){.load = LOAD_RESET, .from = LOAD_RESET};
  update(watchdog);
}

static void sp805_reset(Device *device) {
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(device->lock);
  power_on((Sp805 *)device);
}

static void sp805_pause(Device *device) {
  Sp805 *watchdog = (Sp805 *)device;

  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(device->lock);
  watchdog->paused_at = now(watchdog);
  watchdog->paused = true;
  update(watchdog);
}

static void sp805_resume(Device *device) {
  Sp805 *watchdog = (Sp805 *)device;

  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(device->lock);
  if (!watchdog->paused)
    return;
  watchdog->paused = false;
  watchdog->state.since += now(watchdog) - watchdog->paused_at;
  update(watchdog);
}

static void sp805_free(Device *device) {
  Sp805 *watchdog = (Sp805 *)device;

  watchdog->clock->ops->timer_free(watchdog->timer);
  device_clear(device);
  g_free(watchdog);
}

static const DeviceOps sp805_ops = {
    .access_sizes = ACCESS_4,
    .read = sp805_read,
    .write = sp805_write,
    .register_name = sp805_register_name,
    .describe = sp805_describe,
    .reset = sp805_reset,
    .pause = sp805_pause,
    .resume = sp805_resume,
    .free = sp805_free,
};

static Device *sp805_make(const DeviceParts *parts, GError **error) {
  Sp805 *watchdog = device_new(sizeof *watchdog, &sp805_ops, "sp805");

  watchdog->irq = parts->irq;
  watchdog->clock = parts->clock;
  watchdog->events = parts->events;
  watchdog->timer = parts->clock->ops->steady_timer_new(parts->clock, expired, watchdog);
  power_on(watchdog);
  return &watchdog->device;
}

const DeviceKind sp805_kind = {
    .name = "sp805",
    .note = "watchdog",
    .size = SP805_SIZE,
    .n_spis = 1,
    .trigger = FDT_IRQ_LEVEL_HIGH,
    .apb_clock = true,
    .make = sp805_make,
};
