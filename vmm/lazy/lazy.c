/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Libraries that a machine without frills never calls are loaded by the first call into them, and not by the dynamic linker before main: those for JSON, compressed
 * kernels, archives, tracing and symbols bring forty more with them, and cost more time and memory than the rest of the start.
 *
 * stubs.sh writes, for each function of such a library that eret calls, a stub of the same name and an entry of the tables below; the first call of a stub comes here by
 * way of trampoline.S. What a stub has found is in its slot; to find it twice at once does no harm.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include "vmm/lazy/lazy.h"

void *lazy_resolve(unsigned number) {
  const LazySymbol *symbol = &lazy_symbols[number];
  const char *name = lazy_libraries[symbol->library];
  void *library = dlopen(name, RTLD_LAZY);
  void *function = library ? dlsym(library, symbol->name) : NULL;

  if (!function) {
    fprintf(stderr, "eret: what you asked for needs %s, which cannot be used: %s; install or update the package that it is in\n", name,
            dlerror());
    exit(EXIT_FAILURE);
  }
  __atomic_store_n(&lazy_slots[number], function, __ATOMIC_RELEASE);
  return function;
}
