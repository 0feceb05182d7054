/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a device model is handed at creation, played by the test: an interrupt line that remembers, a clock that stands
 * still until told, a character back end with as much room as the test gives it. Tests only; one thread.
 */
#pragma once

#include <glib.h>

#include "devices/char-backend.h"
#include "devices/clock.h"
#include "devices/device.h"
#include "devices/interrupt.h"

/* Interrupt line. */

typedef struct {
  IrqLine line;
  bool level;
  unsigned raised; /* times it went from low to high */
} FakeIrqLine;

static inline void fake_irq_line_set(IrqLine *line, bool level) {
  FakeIrqLine *fake = (FakeIrqLine *)line;

  fake->raised += level && !fake->level;
  fake->level = level;
}

#define FAKE_IRQ_LINE                                                                                                                      \
  {                                                                                                                                        \
    .line = {.set = fake_irq_line_set }                                                                                                    \
  }

/* Clock. */

#define FAKE_CLOCK_SECOND INT64_C(1000000000)

typedef struct {
  Clock clock;
  int64_t now;    /* nanoseconds since the epoch */
  GList *timers;  /* of ClockTimer */
  unsigned armed; /* times a timer was armed, disarming not counted */
} FakeClock;

struct ClockTimer {
  FakeClock *clock;
  void (*expired)(void *opaque);
  void *opaque;
  int64_t deadline;
};

static inline int64_t fake_clock_real_time(Clock *clock) {
  return ((FakeClock *)clock)->now;
}

static inline ClockTimer *fake_clock_timer_new(Clock *clock, void (*expired)(void *opaque), void *opaque) {
  FakeClock *fake = (FakeClock *)clock;
  ClockTimer *timer = g_new0(ClockTimer, 1);

  *timer = (ClockTimer){.clock = fake, .expired = expired, .opaque = opaque, .deadline = INT64_MAX};
  fake->timers = g_list_append(fake->timers, timer);
  return timer;
}

static inline void fake_clock_timer_arm(ClockTimer *timer, int64_t deadline) {
  timer->deadline = deadline;
  timer->clock->armed += deadline != INT64_MAX;
}

static inline void fake_clock_timer_free(ClockTimer *timer) {
  if (!timer)
    return;
  timer->clock->timers = g_list_remove(timer->clock->timers, timer);
  g_free(timer);
}

static const ClockOps fake_clock_ops = {
    .real_time = fake_clock_real_time,
    .timer_new = fake_clock_timer_new,
    .steady_time = fake_clock_real_time, /* nobody sets it */
    .steady_timer_new = fake_clock_timer_new,
    .timer_arm = fake_clock_timer_arm,
    .timer_free = fake_clock_timer_free,
};

/* A clock at SECONDS since the epoch. */
#define FAKE_CLOCK(seconds)                                                                                                                \
  { .clock = {.ops = &fake_clock_ops}, .now = (seconds)*FAKE_CLOCK_SECOND }

/* Fires each timer that is due. A timer is not armed any more when it fires. */
static inline void fake_clock_run(FakeClock *clock) {
  for (GList *l = clock->timers; l; l = l->next) {
    ClockTimer *timer = l->data;
    if (timer->deadline > clock->now)
      continue;
    timer->deadline = INT64_MAX;
    timer->expired(timer->opaque);
  }
}

static inline void fake_clock_advance(FakeClock *clock, int64_t nanoseconds) {
  clock->now += nanoseconds;
  fake_clock_run(clock);
}

/* The soonest deadline of all timers; INT64_MAX: none is armed. */
static inline int64_t fake_clock_next(const FakeClock *clock) {
  int64_t next = INT64_MAX;

  for (const GList *l = clock->timers; l; l = l->next)
    next = MIN(next, ((const ClockTimer *)l->data)->deadline);
  return next;
}

/* Character back end. */

typedef struct {
  CharBackend backend;
  GString *output;
  size_t room;      /* how much it still takes; SIZE_MAX: anything */
  unsigned accepts; /* calls of char_backend_accept */
} FakeCharBackend;

static inline size_t fake_char_backend_write(CharBackend *backend, const uint8_t *bytes, size_t size) {
  FakeCharBackend *fake = (FakeCharBackend *)backend;
  size_t taken = MIN(size, fake->room);

  g_string_append_len(fake->output, (const char *)bytes, (gssize)taken);
  if (fake->room != SIZE_MAX)
    fake->room -= taken;
  return taken;
}

static inline void fake_char_backend_accept(CharBackend *backend) {
  ((FakeCharBackend *)backend)->accepts++;
}

static inline void fake_char_backend_free(CharBackend *backend) {
  FakeCharBackend *fake = (FakeCharBackend *)backend;

  g_string_free(fake->output, TRUE);
  g_free(fake);
}

static const CharBackendOps fake_char_backend_ops = {
    .write = fake_char_backend_write,
    .accept = fake_char_backend_accept,
    .free = fake_char_backend_free,
};

static inline FakeCharBackend *fake_char_backend_new(void) {
  FakeCharBackend *fake = g_new0(FakeCharBackend, 1);

  *fake = (FakeCharBackend){.backend = {.ops = &fake_char_backend_ops}, .output = g_string_new(NULL), .room = SIZE_MAX};
  return fake;
}

static inline size_t fake_char_backend_front_room(FakeCharBackend *fake) {
  return fake->backend.frontend->room(fake->backend.opaque);
}

/* What a user types: hands over as much of TEXT as the front end takes, and returns how many bytes that were. */
static inline size_t fake_char_backend_type(FakeCharBackend *fake, const char *text, size_t size) {
  size_t done = 0, room;

  while (done < size && (room = fake_char_backend_front_room(fake)) > 0) {
    size_t part = MIN(room, size - done);
    fake->backend.frontend->receive(fake->backend.opaque, (const uint8_t *)text + done, part);
    done += part;
  }
  return done;
}

/* The reader takes ROOM more bytes, and the front end hears of it. */
static inline void fake_char_backend_make_room(FakeCharBackend *fake, size_t room) {
  fake->room = room;
  fake->backend.frontend->writable(fake->backend.opaque);
}

/* Device tree of one device. */

/* The tree that DEVICE writes of itself at SLOT, as a blob for libfdt. */
static inline GBytes *fake_describe(const Device *device, const DeviceSlot *slot) {
  g_autoptr(FdtWriter) fdt = fdt_writer_new();
  g_autoptr(GError) error = NULL;

  device_describe(device, slot, fdt);
  GBytes *blob = fdt_writer_finish(fdt, &error);
  g_assert_no_error(error);
  return blob;
}

/* The SIZE bytes of a property, which must be just those. Strings with their zeros. */
#define fake_assert_property(blob, path, property, bytes, n)                                                                               \
  do {                                                                                                                                     \
    const void *tree_ = g_bytes_get_data(blob, NULL);                                                                                      \
    int length_ = -1, node_ = fdt_path_offset(tree_, path);                                                                                \
    g_assert_cmpint(node_, >=, 0);                                                                                                         \
    const void *found_ = fdt_getprop(tree_, node_, property, &length_);                                                                    \
    g_assert_nonnull(found_);                                                                                                              \
    g_assert_cmpmem(found_, (gsize)length_, bytes, n);                                                                                     \
  } while (0)

/* The cells of a property. */
#define fake_assert_cells(blob, path, property, ...)                                                                                       \
  do {                                                                                                                                     \
    uint32_t cells_[] = {__VA_ARGS__};                                                                                                     \
    for (unsigned cell_ = 0; cell_ < G_N_ELEMENTS(cells_); cell_++)                                                                        \
      cells_[cell_] = GUINT32_TO_BE(cells_[cell_]);                                                                                        \
    fake_assert_property(blob, path, property, cells_, sizeof cells_);                                                                     \
  } while (0)

/* A string, or a list of them with \0 between. */
#define fake_assert_string(blob, path, property, string) fake_assert_property(blob, path, property, string, sizeof(string))
#define fake_assert_flag(blob, path, property)           fake_assert_property(blob, path, property, "", 0)
