/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is different about eret with a sanitizer, beside the compiler's part: what the sanitizer is told, unless
 * ASAN_OPTIONS and its like say otherwise, and that machines are in no sandbox unless `--sandbox require` or `log` asks
 * for one: the threads in it could not report anything, which takes opening files.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/cage/sandbox.h"

/* The linker's names of what this stands before: --wrap=sandbox_new. */
Sandbox *__real_sandbox_new(SandboxMode mode, unsigned more, GError **error);
Sandbox *__wrap_sandbox_new(SandboxMode mode, unsigned more, GError **error);

Sandbox *__wrap_sandbox_new(SandboxMode mode, unsigned more, GError **error) {
  return __real_sandbox_new(mode == SANDBOX_ON ? SANDBOX_OFF : mode, more, error);
}

/* Asked for by the runtimes, by these names. They end the process with a status that eret has not. */
const char *__asan_default_options(void);
const char *__ubsan_default_options(void);
const char *__tsan_default_options(void);

const char *__asan_default_options(void) {
  return "exitcode=99:detect_leaks=1:detect_stack_use_after_return=1:check_initialization_order=1:strict_string_checks=1";
}

const char *__ubsan_default_options(void) {
  return "exitcode=99:print_stacktrace=1";
}

/* Both stacks of a race, from as far back as the runtime can remember. */
const char *__tsan_default_options(void) {
  return "exitcode=99:history_size=7:second_deadlock_stack=1";
}

/*
 * GCC's runtime of UndefinedBehaviorSanitizer, beside that of AddressSanitizer, takes the other's function for its own,
 * and goes on reporting to standard error whatever log_path says; so its own is called once more, by its handle.
 */
static void __attribute__((constructor)) tell_ubsan_its_log_path(void) {
  static const char option[] = "log_path=";
  void *runtime = dlopen("libubsan.so.1", RTLD_LAZY | RTLD_NOLOAD);
  const char *options = getenv("UBSAN_OPTIONS"), *path = options ? strstr(options, option) : NULL;
  void (*set_path)(const char *) = runtime ? (void (*)(const char *))dlsym(runtime, "__sanitizer_set_report_path") : NULL;

  if (!path || !set_path)
    return;
  path += sizeof option - 1;
  char *alone = strndup(path, strcspn(path, ":"));
  set_path(alone);
  free(alone);
}
