/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Output is searched for the lines with which Linux starts (arch/arm64/kernel/setup.c: "Booting Linux on physical
 * CPU"), or its EFI stub starts and has done with UEFI (drivers/firmware/efi/libstub: "EFI stub: Booting Linux
 * Kernel...", "EFI stub: Exiting boot services..."), and with which it starts its first process (init/main.c: "Run
 * /init as init process"); with `quiet` they do not appear. The search is a comparison a byte, and none once the last
 * was seen.
 *
 * Locks: `lock` guards the line. Output comes from the device's accesses, its I/O thread, and hypercalls of any vCPU,
 * all at the same time if the guest likes; once the line was seen, none of them takes it.
 */
#include "vmm/machine/console-watch.h"

#include <string.h>

static const struct {
  const char *begins, *ends;
  Phase phase;
} lines[] = {
    {"EFI stub: Booting Linux", "", PHASE_KERNEL_STARTED},
    {"Booting Linux on physical CPU", "", PHASE_KERNEL_STARTED},
    {"EFI stub: Exiting boot services", "", PHASE_FIRMWARE_LEFT},
    {"Run /", "as init process", PHASE_INIT},
};

typedef struct {
  CharBackend base; /* first */
  CharBackend *inner;
  Timeline *timeline;
  GMutex lock;
  char line[128]; /* the beginning of the current line */
  size_t length;
} ConsoleWatch;

/* The line, less the kernel's time stamp in brackets. */
static void look_at_line(ConsoleWatch *watch) {
  watch->line[MIN(watch->length, sizeof watch->line - 1)] = 0;
  for (unsigned i = 0; i < G_N_ELEMENTS(lines); i++) {
    const char *begins = strstr(watch->line, lines[i].begins);
    if (begins && strstr(begins, lines[i].ends))
      timeline_add(watch->timeline, lines[i].phase);
  }
  watch->length = 0;
}

static void look(ConsoleWatch *watch, const uint8_t *bytes, size_t size) {
  if (size > 0 && !timeline_has(watch->timeline, PHASE_FIRST_OUTPUT))
    timeline_add(watch->timeline, PHASE_FIRST_OUTPUT);
  if (timeline_has(watch->timeline, PHASE_INIT))
    return;
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&watch->lock);
  for (size_t i = 0; i < size; i++) {
    if (bytes[i] == '\n')
      look_at_line(watch);
    else if (watch->length < sizeof watch->line - 1)
      watch->line[watch->length++] = (char)bytes[i];
  }
}

static size_t watch_write(CharBackend *backend, const uint8_t *bytes, size_t size) {
  ConsoleWatch *watch = (ConsoleWatch *)backend;
  size_t taken = char_backend_write(watch->inner, bytes, size);

  look(watch, bytes, taken);
  return taken;
}

static void watch_accept(CharBackend *backend) {
  char_backend_accept(((ConsoleWatch *)backend)->inner);
}

static void watch_free(CharBackend *backend) {
  ConsoleWatch *watch = (ConsoleWatch *)backend;
  watch->inner->frontend = NULL;
  g_mutex_clear(&watch->lock);
  g_free(watch);
}

static const CharBackendOps watch_ops = {watch_write, watch_accept, watch_free};

/* The front end's side: the inner back end calls it, as if there were nothing between. */

static size_t pass_room(void *opaque) {
  const ConsoleWatch *watch = opaque;
  return watch->base.frontend ? watch->base.frontend->room(watch->base.opaque) : 0;
}

static void pass_receive(void *opaque, const uint8_t *bytes, size_t size) {
  const ConsoleWatch *watch = opaque;
  if (watch->base.frontend)
    watch->base.frontend->receive(watch->base.opaque, bytes, size);
}

static void pass_writable(void *opaque) {
  const ConsoleWatch *watch = opaque;
  if (watch->base.frontend)
    watch->base.frontend->writable(watch->base.opaque);
}

static const CharFrontend pass_frontend = {pass_room, pass_receive, pass_writable};

CharBackend *console_watch_new(CharBackend *inner, Timeline *timeline) {
  ConsoleWatch *watch = g_new0(ConsoleWatch, 1);

  g_mutex_init(&watch->lock);
  watch->base.ops = &watch_ops;
  watch->inner = inner;
  watch->timeline = timeline;
  char_backend_connect(inner, &pass_frontend, watch);
  return &watch->base;
}
