/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a call that no rule allows is told of. The kernel does not carry it out, and sends the thread SIGSYS. Its handler
 * may do nothing but what the filter allows, and that is not enough to give the terminal back; so it leaves a note,
 * sends the main thread a signal, and stays where it is. The main thread, whatever it is at, writes the line and ends
 * the process. Under SANDBOX_LOG the handler carries the call out itself, by the one instruction that the filter lets
 * through.
 *
 * `state` is a mutable object at file scope: a signal handler is given nothing else to find it by. It is written on the
 * main thread before any other has entered, but for `note` and `seen`, which are atomic.
 */
#include "vmm/cage/sandbox.h"

#include <errno.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "devices/backend/raw-mode.h"
#include "vmm/cage/call-names.h"
#include "vmm/cage/filter.h"
#include "vmm/cage/raw-call.h"
#include "vmm/cage/signals.h"

/* Of threads. */
enum { VCPU, DEVICE, MAIN, KINDS };

#define NAME_SIZE 16  /* prctl(2), PR_GET_NAME */
#define SEEN      256 /* calls that are said, at most */
#define LINE_SIZE 320
#define TRAPPED   1 /* SYS_SECCOMP: asm-generic/siginfo.h */

struct Sandbox {
  SandboxMode mode;
  GArray *filters[KINDS];
  int refused; /* atomic: it was said that the host refuses one */
  bool has_filters, is_secluded;
  bool is_main_in; /* its filter lasts to the end of the process */
  Seclusion seclusion;
  struct sigaction before_sys, before_broken;
};

typedef struct {
  RawCall call;
  char thread[NAME_SIZE];
} Note;

static struct {
  SandboxMode mode;
  pid_t process, main_thread;
  int taken; /* atomic; who makes it 1 writes the note */
  Note note;
  uint64_t seen[SEEN]; /* atomic: keys, from the beginning on */
} state;

/* Of a thread that has entered. */
static __thread char own_name[NAME_SIZE];
static __thread CageThread own_kind;

/* Lines, by what a signal handler may use. */

typedef struct {
  char text[LINE_SIZE];
  size_t size;
} Line;

static void add_text(Line *line, const char *text) {
  for (; *text && line->size < sizeof line->text; text++)
    line->text[line->size++] = *text;
}

static void add_number(Line *line, uint64_t number, unsigned base) {
  char digits[24];
  unsigned n = sizeof digits;

  digits[--n] = 0;
  do {
    digits[--n] = "0123456789abcdef"[number % base];
    number /= base;
  } while (number);
  add_text(line, base == 16 ? "0x" : "");
  add_text(line, digits + n);
}

static void add_call(Line *line, const RawCall *call) {
  const char *name = cage_call_name(call->number);

  if (name) {
    add_text(line, name);
  } else {
    add_text(line, "call ");
    add_number(line, (uint64_t)call->number, 10);
  }
  for (unsigned i = 0; i < 6; i++) {
    add_text(line, i ? ", " : "(");
    add_number(line, call->arguments[i], 16);
  }
  add_text(line, ")");
}

static void add_thread(Line *line, const char *name) {
  add_text(line, "eret: sandbox: thread ");
  add_text(line, name);
  add_text(line, " asked for ");
}

static void say(Line *line) {
  const RawCall call = {.number = SYS_write, .arguments = {STDERR_FILENO, (uint64_t)(uintptr_t)line->text, line->size}};

  raw_call(&call);
}

/* What was trapped. */

static void say_note(const Note *note) {
  Line line = {.size = 0};

  add_thread(&line, note->thread);
  add_call(&line, &note->call);
  add_text(&line,
           ", which nothing of its kind may do: the machine is ended. If no guest is to blame, '--sandbox log' says all that is missing\n");
  say(&line);
}

static void on_broken(int number) {
  if (!__atomic_load_n(&state.taken, __ATOMIC_SEQ_CST))
    return;
  raw_mode_restore();
  say_note(&state.note);
  _exit(SANDBOX_STATUS);
}

/* Does not return: the process ends meanwhile. */
static void leave_note(const RawCall *call) {
  static const uint32_t never;

  if (!__atomic_exchange_n(&state.taken, 1, __ATOMIC_SEQ_CST)) {
    state.note.call = *call;
    memcpy(state.note.thread, own_name, sizeof own_name);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    syscall(SYS_tgkill, state.process, state.main_thread, CAGE_SIGNAL_BROKEN);
  }
  for (;;)
    syscall(SYS_futex, &never, FUTEX_WAIT, 0, NULL);
}

/* Whether KEY has not been there yet. One that finds no room has. */
static bool is_new(uint64_t key) {
  for (unsigned i = 0; i < SEEN; i++) {
    uint64_t empty = 0;

    if (__atomic_compare_exchange_n(&state.seen[i], &empty, key, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
      return true;
    if (empty == key)
      return false;
  }
  return false;
}

static void add_rule(Line *line, const RawCall *call) {
  const char *name = cage_call_name(call->number), *kind = own_kind == CAGE_VCPU     ? "CAGE_VCPU"
                                                           : own_kind == CAGE_DEVICE ? "CAGE_DEVICE"
                                                                                     : "CAGE_MAIN";

  add_text(line, call->number == SYS_ioctl ? "IOCTL(" : "CALL(");
  if (call->number != SYS_ioctl) {
    add_text(line, name ? name : "?");
    add_text(line, ", ");
  }
  add_text(line, kind);
  add_text(line, ", ");
  if (call->number == SYS_ioctl)
    add_number(line, (uint32_t)call->arguments[1], 16);
  else
    add_text(line, "CAGE_ANY, 0, 0");
  add_text(line, ", \"\")");
}

static void log_call(const RawCall *call) {
  uint64_t key = (uint64_t)own_kind << 56 | (uint64_t)(call->number & 0xffff) << 32;

  if (!is_new(call->number == SYS_ioctl ? key | (uint32_t)call->arguments[1] : key))
    return;
  Line line = {.size = 0};
  add_thread(&line, own_name);
  add_call(&line, call);
  add_text(&line, "; a rule: ");
  add_rule(&line, call);
  add_text(&line, "\n");
  say(&line);
}

/* A signal of somebody's does what it does without us. */
static void pass_on(int number) {
  signal(number, SIG_DFL);
  raise(number);
}

static void on_trap(int number, siginfo_t *info, void *opaque) {
  ucontext_t *context = opaque;
  const RawCall call = raw_call_of(context);

  if (info->si_code != TRAPPED) {
    pass_on(number);
    return;
  }
  if (state.mode != SANDBOX_LOG)
    leave_note(&call);
  int saved_errno = errno;
  log_call(&call);
  raw_call_set_result(context, raw_call(&call));
  errno = saved_errno;
}

/* The host. */

bool sandbox_has_filters(const char **why) {
  const uint32_t trap = SECCOMP_RET_TRAP;

  *why = NULL;
  if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &trap) == 0)
    return true;
  *why = g_strerror(errno);
  return false;
}

/* Life. */

static void install(Sandbox *sandbox) {
  struct sigaction trap = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO | SA_NODEFER}, broken = {.sa_handler = on_broken};

  memset(&state, 0, sizeof state);
  state.mode = sandbox->mode;
  state.process = getpid();
  state.main_thread = (pid_t)syscall(SYS_gettid);
  sigaction(SIGSYS, &trap, &sandbox->before_sys);
  sigaction(CAGE_SIGNAL_BROKEN, &broken, &sandbox->before_broken);
}

/* What is looked up in files once: for GLib's first text of an error, of character sets. */
static void warm_up(void) {
  const char *volatile error = g_strerror(EIO);

  (void)error;
}

Sandbox *sandbox_new(SandboxMode mode, unsigned more, GError **error) {
  uint64_t pass = mode == SANDBOX_LOG ? raw_call_address() : 0;
  const char *why;

  if (mode == SANDBOX_OFF)
    return NULL;
  bool has_filters = sandbox_has_filters(&why);
  if (!has_filters && mode == SANDBOX_REQUIRE) {
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_NOSYS, "--sandbox require: this host's kernel has no system-call filters: %s", why);
    return NULL;
  }
  if (!has_filters)
    g_warning("--sandbox: this host's kernel has no system-call filters (%s): the machine runs without", why);
  Sandbox *sandbox = g_new0(Sandbox, 1);
  sandbox->mode = mode;
  sandbox->has_filters = has_filters;
  if (!has_filters)
    return sandbox;
  sandbox->filters[VCPU] = cage_filter_new(CAGE_VCPU | (more & CAGE_MORE_OF_VCPUS), pass);
  sandbox->filters[DEVICE] = cage_filter_new(CAGE_DEVICE | (more & CAGE_MORE_OF_DEVICES), pass);
  sandbox->filters[MAIN] = cage_filter_new(CAGE_MAIN | CAGE_VCPU | CAGE_DEVICE | more, pass);
  warm_up();
  install(sandbox);
  return sandbox;
}

void sandbox_free(Sandbox *sandbox) {
  if (!sandbox)
    return;
  if (sandbox->has_filters && !sandbox->is_main_in) {
    sigaction(SIGSYS, &sandbox->before_sys, NULL);
    sigaction(CAGE_SIGNAL_BROKEN, &sandbox->before_broken, NULL);
  }
  for (unsigned i = 0; i < G_N_ELEMENTS(sandbox->filters); i++)
    if (sandbox->filters[i])
      g_array_unref(sandbox->filters[i]);
  g_free(sandbox);
}

bool sandbox_seclude(Sandbox *sandbox, const SeclusionWish *wish, GError **error) {
  if (!sandbox)
    return true;
  seclusion_enter(wish, &sandbox->seclusion);
  sandbox->is_secluded = true;
  g_autofree char *missing = seclusion_describe(&sandbox->seclusion, true);
  if (*missing && sandbox->mode == SANDBOX_REQUIRE) {
    g_set_error(error, G_FILE_ERROR, G_FILE_ERROR_NOSYS, "--sandbox require: this host does not give %s", missing);
    return false;
  }
  if (*missing)
    g_warning("--sandbox: this host does not give %s: the machine runs without", missing);
  return true;
}

char *sandbox_describe(const Sandbox *sandbox) {
  if (!sandbox)
    return g_strdup("off");
  g_autofree char *layers = sandbox->is_secluded ? seclusion_describe(&sandbox->seclusion, false) : g_strdup("");
  g_autofree char *missing = sandbox->is_secluded ? seclusion_describe(&sandbox->seclusion, true) : g_strdup("");
  const char *how = sandbox->mode == SANDBOX_LOG ? "log" : sandbox->has_filters && !*missing ? "full" : "partial";
  const char *filters = sandbox->has_filters ? "system-call filters" : "";

  return g_strdup_printf("%s (%s%s%s)", how, filters, *filters && *layers ? ", " : "", layers);
}

/* The process does not do without, or says once that it does. */
static void refused(Sandbox *sandbox, int code) {
  if (sandbox->mode == SANDBOX_REQUIRE) {
    raw_mode_restore();
    g_warning("--sandbox require: the host refuses a thread its system-call filter: %s", g_strerror(code));
    _exit(EXIT_FAILURE);
  }
  if (!__atomic_exchange_n(&sandbox->refused, 1, __ATOMIC_SEQ_CST))
    g_warning("--sandbox: the host refuses threads their system-call filters (%s): the machine runs without", g_strerror(code));
}

void sandbox_enter(Sandbox *sandbox, CageThread thread) {
  if (!sandbox || !sandbox->has_filters)
    return;
  const GArray *filter = sandbox->filters[thread == CAGE_VCPU ? VCPU : thread == CAGE_DEVICE ? DEVICE : MAIN];
  const struct sock_fprog program = {.len = (unsigned short)filter->len, .filter = (struct sock_filter *)(void *)filter->data};
  sigset_t trapped;

  own_kind = thread;
  if (thread == CAGE_MAIN)
    sandbox->is_main_in = true;
  prctl(PR_GET_NAME, own_name);
  sigemptyset(&trapped);
  sigaddset(&trapped, SIGSYS); /* one that is blocked would kill the process without a word */
  pthread_sigmask(SIG_UNBLOCK, &trapped, NULL);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
    refused(sandbox, errno);
}
