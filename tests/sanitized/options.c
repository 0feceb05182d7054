/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is different about eret with a sanitizer, beside the compiler's part: what the sanitizer is told, unless
 * ASAN_OPTIONS and its like say otherwise, and that machines are in no sandbox unless `--sandbox require` or `log` asks
 * for one: the threads in it could not report anything, which takes opening files.
 */
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
