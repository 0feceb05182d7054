/* SPDX-License-Identifier: Apache-2.0 */
/* Registers in memory; see the header. */
#include "devices/register-page.h"

#include <errno.h>
#include <glib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "devices/exit-path.h"

static size_t page_size(void) {
  return (size_t)sysconf(_SC_PAGESIZE);
}

void register_page_init(RegisterPage *page, size_t size) {
  *page = (RegisterPage){.size = (size + page_size() - 1) & ~(page_size() - 1)};
  page->bytes = mmap(NULL, page->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page->bytes == MAP_FAILED)
    g_error("cannot map %zu bytes for registers: %s", page->size, g_strerror(errno)); /* as g_malloc ends */
}

void register_page_init_at(RegisterPage *page, uint8_t *bytes, size_t size) {
  *page = (RegisterPage){.bytes = bytes, .size = size};
}

void register_page_clear(RegisterPage *page) {
  register_page_close(page);
  if (page->bytes)
    munmap(page->bytes, page->size);
  *page = (RegisterPage){0};
}

void register_page_connect(RegisterPage *page, Shortcuts *shortcuts, uint64_t address) {
  register_page_close(page);
  page->shortcuts = shortcuts;
  page->address = address;
}

void register_page_open(RegisterPage *page) {
  if (page->shortcuts && !page->mapped)
    page->mapped = page->shortcuts->map(page->shortcuts, page->address, page->size, page->bytes);
}

void register_page_close(RegisterPage *page) {
  if (page->mapped)
    page->shortcuts->unmap(page->shortcuts, page->address);
  page->mapped = false;
}

#if defined(__aarch64__)
ON_EXIT_PATH void register_page_publish(const void *bytes, size_t size) {
  uint64_t type;

  __asm__ volatile("mrs %0, ctr_el0" : "=r"(type));
  uintptr_t line = (uintptr_t)4 << (type >> 16 & 0xf); /* CTR_EL0.DminLine: log2 of the words in a line */
  for (uintptr_t at = (uintptr_t)bytes & ~(line - 1); at < (uintptr_t)bytes + size; at += line)
    __asm__ volatile("dc cvac, %0" : : "r"(at) : "memory");
  __asm__ volatile("dsb sy" : : : "memory");
}
#else
void register_page_publish(const void *bytes, size_t size) { /* caches are coherent */
}
#endif

ON_EXIT_PATH void register_page_set(RegisterPage *page, size_t offset, unsigned size, uint64_t value) {
  uint8_t *at = page->bytes + offset;

  if (register_page_get(page, offset, size) == value)
    return;
  switch (size) {
  case 1:
    __atomic_store_n(at, (uint8_t)value, __ATOMIC_RELEASE);
    break;
  case 2:
    __atomic_store_n((uint16_t *)at, GUINT16_TO_LE((uint16_t)value), __ATOMIC_RELEASE);
    break;
  case 4:
    __atomic_store_n((uint32_t *)at, GUINT32_TO_LE((uint32_t)value), __ATOMIC_RELEASE);
    break;
  default:
    __atomic_store_n((uint64_t *)at, GUINT64_TO_LE(value), __ATOMIC_RELEASE);
  }
  register_page_publish(at, size);
}

ON_EXIT_PATH uint64_t register_page_get(const RegisterPage *page, size_t offset, unsigned size) {
  const uint8_t *at = page->bytes + offset;

  switch (size) {
  case 1:
    return __atomic_load_n(at, __ATOMIC_ACQUIRE);
  case 2:
    return GUINT16_FROM_LE(__atomic_load_n((const uint16_t *)at, __ATOMIC_ACQUIRE));
  case 4:
    return GUINT32_FROM_LE(__atomic_load_n((const uint32_t *)at, __ATOMIC_ACQUIRE));
  default:
    return GUINT64_FROM_LE(__atomic_load_n((const uint64_t *)at, __ATOMIC_ACQUIRE));
  }
}
