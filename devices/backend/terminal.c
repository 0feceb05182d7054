/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The user's terminal, a pipe or a file as a character backend: one GSource on the default main context that watches
 * the input while there is somewhere to put it, and the output while there is something to write.
 *
 * Input from a terminal is read ahead, so that Ctrl-A x works even when the guest takes nothing; from a pipe or file no
 * more is read than the front end takes.
 *
 * Locks: the output has its own (terminal-output.h). `front_full` is atomic.
 */
#include "devices/backend/terminal.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "devices/backend/escape.h"
#include "devices/backend/message.h"
#include "devices/backend/raw-mode.h"
#include "devices/backend/terminal-output.h"

#define INPUT_SIZE 4096                             /* of a terminal; a stream's is as large as its output */
#define READ_MAX   (INPUT_SIZE / ESCAPE_MAX_OUTPUT) /* what it becomes fits in any case */

typedef struct Terminal Terminal;

typedef struct {
  GSource source; /* first: this is the source */
  Terminal *terminal;
} TerminalSource;

struct Terminal {
  CharBackend base;
  int in_fd;
  bool in_is_terminal; /* in raw mode, with an escape key; never of a stream */
  bool tells_end;      /* a stream, and TERMINAL_ENDED is still to come */
  bool tells_stall;
  void (*event)(TerminalEvent event, void *opaque);
  void *opaque;
  TerminalSource *source;
  gpointer in_tag, out_tag; /* while watched */

  /* Main thread. */
  Escape escape;
  bool input_ended;
  bool stalled;       /* TERMINAL_STALLED was told */
  int64_t full_since; /* g_get_monotonic_time: since when the front end waits, and the reader takes nothing; 0: it does not */
  uint8_t *input;     /* of input_size bytes: read, not yet taken by the front end: input_start .. input_end */
  size_t input_size, input_start, input_end;

  int front_full; /* atomic: the front end had no room, and has not called accept since */

  TerminalOutput output;
};

/* Output. */

/* The reader takes, or there is none. */
static void end_stall(Terminal *self) {
  bool told = self->stalled;

  self->full_since = 0;
  self->stalled = false;
  if (told)
    self->event(TERMINAL_FLOWS, self->opaque);
}

static size_t terminal_write(CharBackend *backend, const uint8_t *bytes, size_t size) {
  Terminal *self = (Terminal *)backend;
  bool wake;
  size_t taken = terminal_output_put(&self->output, bytes, size, self->tells_stall, &wake);

  if (wake)
    g_main_context_wakeup(NULL);
  return taken;
}

/* One write of what poll has announced; how many bytes are gone. */
static size_t drain(Terminal *self) {
  bool was_gone = self->output.gone, room;
  size_t written = terminal_output_drain(&self->output, &room);

  if (written || self->output.gone)
    end_stall(self);
  if (self->output.gone && !was_gone)
    self->event(TERMINAL_GONE, self->opaque);
  if (room && self->base.frontend)
    self->base.frontend->writable(self->base.opaque);
  return written;
}

uint64_t terminal_taken(CharBackend *backend) {
  TerminalOutput *output = &((Terminal *)backend)->output;
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&output->lock);

  return output->taken;
}

bool terminal_flush(CharBackend *backend, unsigned timeout_ms) {
  Terminal *self = (Terminal *)backend;
  size_t left = terminal_output_waiting(&self->output);

  while (left && !self->output.gone) {
    struct pollfd ready = {.fd = self->output.write_fd, .events = POLLOUT};
    int polled = poll(&ready, 1, (int)MIN(timeout_ms, INT_MAX));
    size_t drained = polled > 0 ? drain(self) : 0;

    if (polled == 0 || (polled < 0 && errno != EINTR))
      return false;
    left -= MIN(left, drained);
  }
  return true;
}

int terminal_lost(CharBackend *backend) {
  return ((const Terminal *)backend)->output.error;
}

/* Input. */

/* On the way to the terminal it may overtake the guest's output: then it is there even when that floods. */
static void show_help(const Terminal *self) {
  int fd = self->output.is_terminal ? self->output.write_fd : self->in_fd;
  struct pollfd ready = {.fd = fd, .events = POLLOUT};

  if (poll(&ready, 1, 0) == 1 && message_write_beside(fd, escape_help, strlen(escape_help), terminal_output_write) < 0)
    g_debug("no help on the terminal: %s", g_strerror(errno));
}

static void take_keys(Terminal *self, const uint8_t *bytes, size_t size) {
  for (size_t i = 0; i < size; i++) {
    unsigned n;
    EscapeCommand command = escape_byte(&self->escape, bytes[i], self->input + self->input_end, &n);

    self->input_end += n;
    if (command == ESCAPE_HELP)
      show_help(self);
    else if (command == ESCAPE_QUIT)
      self->event(TERMINAL_QUIT, self->opaque);
  }
}

/*
 * How much the front end takes. `front_full` is set before it is asked: an accept that comes between question and
 * answer then clears it again, and is not lost.
 */
static size_t front_room(Terminal *self) {
  size_t room;

  if (!self->base.frontend)
    return 0;
  __atomic_store_n(&self->front_full, 1, __ATOMIC_SEQ_CST);
  room = self->base.frontend->room(self->base.opaque);
  if (room)
    __atomic_store_n(&self->front_full, 0, __ATOMIC_SEQ_CST);
  return room;
}

static void deliver(Terminal *self) {
  while (self->input_start < self->input_end) {
    size_t room = front_room(self);
    size_t size = MIN(room, self->input_end - self->input_start);

    if (!size)
      return;
    self->base.frontend->receive(self->base.opaque, self->input + self->input_start, size);
    self->input_start += size;
  }
  self->input_start = self->input_end = 0;
  if (self->input_ended && self->tells_end) {
    self->tells_end = false;
    self->event(TERMINAL_ENDED, self->opaque);
  }
}

/* How much came; 0 at the end as well, which is noted. */
static size_t read_some(Terminal *self, void *to, size_t wanted) {
  ssize_t size = wanted ? read(self->in_fd, to, wanted) : -1;

  if (wanted && (size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR)))
    self->input_ended = true;
  return size > 0 ? (size_t)size : 0;
}

static void read_terminal(Terminal *self) {
  uint8_t keys[READ_MAX];

  memmove(self->input, self->input + self->input_start, self->input_end - self->input_start);
  self->input_end -= self->input_start;
  self->input_start = 0;
  take_keys(self, keys, read_some(self, keys, MIN(sizeof keys, (self->input_size - self->input_end) / ESCAPE_MAX_OUTPUT)));
}

/* Only when all that was read before is taken: see wants_input. */
static void read_input(Terminal *self) {
  if (self->in_is_terminal) {
    read_terminal(self);
    return;
  }
  size_t room = front_room(self);
  self->input_end += read_some(self, self->input + self->input_end, MIN(room, self->input_size - self->input_end));
}

static void terminal_accept(CharBackend *backend) {
  Terminal *self = (Terminal *)backend;

  __atomic_store_n(&self->front_full, 0, __ATOMIC_SEQ_CST);
  g_main_context_wakeup(NULL);
}

/* The source. */

static bool wants_input(Terminal *self) {
  if (self->input_ended || !self->base.frontend)
    return false;
  if (self->in_is_terminal)
    return self->input_end - self->input_start <= self->input_size - ESCAPE_MAX_OUTPUT;
  return self->input_start == self->input_end && !__atomic_load_n(&self->front_full, __ATOMIC_SEQ_CST);
}

/* Without asking poll. */
static bool can_drain(Terminal *self) {
  return self->output.never_blocks && !self->output.full && terminal_output_waiting(&self->output);
}

static bool can_deliver(Terminal *self) {
  return self->base.frontend && self->input_start < self->input_end && !__atomic_load_n(&self->front_full, __ATOMIC_SEQ_CST);
}

/* A descriptor that is not wanted is not polled at all: a hang-up would be reported without end. */
static void watch(Terminal *self, gpointer *tag, int fd, GIOCondition condition, bool wanted) {
  GSource *source = &self->source->source;

  if (wanted && !*tag) {
    *tag = g_source_add_unix_fd(source, fd, condition);
  } else if (!wanted && *tag) {
    g_source_remove_unix_fd(source, *tag);
    *tag = NULL;
  }
}

/* In how many milliseconds the reader counts as stalled; -1: it does not. */
static int stall_due(Terminal *self) {
  if (!self->tells_stall || self->stalled || self->output.gone)
    return -1;
  if (!terminal_output_is_full(&self->output)) {
    self->full_since = 0;
    return -1;
  }
  int64_t now = g_get_monotonic_time();
  if (!self->full_since)
    self->full_since = now;
  int64_t left = self->full_since + TERMINAL_STALL_MS * 1000 - now;
  return left > 0 ? (int)(left / 1000) + 1 : 0;
}

static gboolean source_prepare(GSource *source, gint *timeout) {
  Terminal *self = ((TerminalSource *)source)->terminal;

  watch(self, &self->in_tag, self->in_fd, G_IO_IN, wants_input(self));
  watch(self, &self->out_tag, self->output.write_fd, G_IO_OUT,
        (!self->output.never_blocks || self->output.full) && terminal_output_waiting(&self->output));
  *timeout = stall_due(self);
  return *timeout == 0 || can_deliver(self) || can_drain(self);
}

static bool is_ready(Terminal *self, gpointer tag) {
  return tag && g_source_query_unix_fd(&self->source->source, tag);
}

static gboolean source_check(GSource *source) {
  Terminal *self = ((TerminalSource *)source)->terminal;

  return is_ready(self, self->in_tag) || is_ready(self, self->out_tag) || can_deliver(self) || can_drain(self) || stall_due(self) == 0;
}

static gboolean source_dispatch(GSource *source, GSourceFunc callback, gpointer data) {
  Terminal *self = ((TerminalSource *)source)->terminal;

  if (is_ready(self, self->out_tag) || can_drain(self))
    drain(self);
  if (stall_due(self) == 0) {
    self->stalled = true;
    self->event(TERMINAL_STALLED, self->opaque);
  }
  if (is_ready(self, self->in_tag))
    read_input(self);
  deliver(self);
  return G_SOURCE_CONTINUE;
}

static GSourceFuncs source_funcs = {.prepare = source_prepare, .check = source_check, .dispatch = source_dispatch};

/* Beginning and end. */

static void terminal_free(CharBackend *backend) {
  Terminal *self = (Terminal *)backend;

  if (self->source) {
    g_source_destroy(&self->source->source);
    g_source_unref(&self->source->source);
  }
  if (self->in_is_terminal)
    raw_mode_leave(self->in_fd);
  terminal_output_clear(&self->output);
  g_free(self->input);
  g_free(self);
}

void terminal_leave(CharBackend *backend) {
  const Terminal *self = (const Terminal *)backend;

  if (self->in_is_terminal)
    raw_mode_leave(self->in_fd);
}

void terminal_return(CharBackend *backend) {
  const Terminal *self = (const Terminal *)backend;

  if (self->in_is_terminal)
    raw_mode_enter(self->in_fd, NULL); /* in the background it stays as it is */
}

static const CharBackendOps terminal_ops = {.write = terminal_write, .accept = terminal_accept, .free = terminal_free};

/* Without a source: nothing happens yet. */
static Terminal *new_terminal(int in_fd, int out_fd, size_t input_size, void (*event)(TerminalEvent event, void *opaque), void *opaque) {
  Terminal *self = g_new0(Terminal, 1);

  self->base.ops = &terminal_ops;
  self->in_fd = in_fd;
  self->event = event;
  self->opaque = opaque;
  self->input_size = input_size;
  self->input = g_malloc(input_size);
  terminal_output_init(&self->output, out_fd);
  return self;
}

static CharBackend *start(Terminal *self) {
  self->source = (TerminalSource *)g_source_new(&source_funcs, sizeof *self->source);
  self->source->terminal = self;
  /*
   * It is never dispatched within itself. GLib, which does not know, would take its descriptors away meanwhile, and
   * wake itself up for that.
   */
  g_source_set_can_recurse(&self->source->source, TRUE);
  g_source_attach(&self->source->source, NULL);
  return &self->base;
}

CharBackend *terminal_new(int in_fd, int out_fd, void (*event)(TerminalEvent event, void *opaque), void *opaque, GError **error) {
  Terminal *self = new_terminal(in_fd, out_fd, INPUT_SIZE, event, opaque);

  if (isatty(in_fd)) {
    if (!raw_mode_enter(in_fd, error)) {
      terminal_free(&self->base);
      return NULL;
    }
    self->in_is_terminal = true;
  }
  return start(self);
}

CharBackend *terminal_new_stream(int in_fd, int out_fd, void (*event)(TerminalEvent event, void *opaque), void *opaque) {
  Terminal *self = new_terminal(in_fd, out_fd, TERMINAL_OUTPUT_SIZE, event, opaque);

  self->tells_end = in_fd >= 0;
  self->tells_stall = out_fd >= 0;
  self->input_ended = in_fd < 0;
  return start(self);
}
