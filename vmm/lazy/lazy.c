/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Libraries that a machine without frills never calls are loaded by the first call into them, and not by the dynamic
 * linker before main: those for JSON, compressed kernels, archives, tracing and symbols bring forty more with them, and
 * cost more time and memory than the rest of the start.
 *
 * stubs.sh writes, for each function of such a library that eret calls, a stub of the same name and an entry of the
 * tables below; the first call of a stub comes here by way of trampoline.S. What a stub has found is in its slot; to
 * find it twice at once does no harm. The slots lie with what is read-only after relocation, and can be written for the
 * moment only in which one is filled.
 *
 * `filling` is at file scope because a stub is given nothing that it could hang off.
 */
#include <dlfcn.h>
#include <glib.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/lazy/lazy.h"

static pthread_mutex_t filling = PTHREAD_MUTEX_INITIALIZER;

/* Where the page cannot be made writable the slot stays empty, and the next call comes here again. */
static void fill(unsigned number, void *function) {
  size_t page_size = (size_t)sysconf(_SC_PAGESIZE);
  void **slot = &lazy_slots[number];
  void *page = (void *)((uintptr_t)slot & ~(page_size - 1));

  pthread_mutex_lock(&filling);
  if (mprotect(page, page_size, PROT_READ | PROT_WRITE) == 0) {
    __atomic_store_n(slot, function, __ATOMIC_RELEASE);
    mprotect(page, page_size, PROT_READ);
  }
  pthread_mutex_unlock(&filling);
}

void lazy_load(const char *name) {
  for (unsigned i = 0; *lazy_libraries[i]; i++)
    if (g_str_has_prefix(lazy_libraries[i], name))
      dlopen(lazy_libraries[i], RTLD_LAZY);
}

void *lazy_resolve(unsigned number) {
  const LazySymbol *symbol = &lazy_symbols[number];
  const char *name = lazy_libraries[symbol->library];
  void *library = dlopen(name, RTLD_LAZY);
  void *function = library ? dlsym(library, symbol->name) : NULL;

  if (!function) {
    g_message("what you asked for needs %s, which cannot be used: %s; install or update the package that it is in", name, dlerror());
    exit(EXIT_FAILURE);
  }
  fill(number, function);
  return function;
}
