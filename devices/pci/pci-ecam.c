/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ECAM window as memory (PCI Express Base Specification 5.0, 7.2.2): the configuration space of the functions there
 * are, and all ones where none is, which a read there has to return (2.3.2, Unsupported Request). No read has a side
 * effect, so that the guest may load from it by itself.
 *
 * Of the ones there is but one piece of memory, mapped again and again; a page with a function in it becomes a copy.
 */
#define _GNU_SOURCE /* memfd_create */

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "devices/pci/pci-internal.h"

#define ONES_SIZE     0x10000 /* a host page of the largest size */
#define LATENCY_TIMER (PCI_CACHE_LINE_SIZE + 1)
#define EXPANSION_ROM 0x30

/* Of FD, a file without a name, ONES_SIZE bytes of ones. False with errno. */
static bool make_ones(int fd) {
  void *ones = ftruncate(fd, ONES_SIZE) < 0 ? MAP_FAILED : mmap(NULL, ONES_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

  if (ones == MAP_FAILED)
    return false;
  memset(ones, UINT8_MAX, ONES_SIZE);
  munmap(ones, ONES_SIZE);
  return true;
}

static bool map_ones(RegisterPage *page, int fd) {
  for (size_t at = 0; at < PCI_ECAM_BUS_SIZE; at += ONES_SIZE)
    if (mmap(page->bytes + at, ONES_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, 0) == MAP_FAILED)
      return false;
  return true;
}

bool pci_ecam_init(RegisterPage *page, GError **error) {
  int fd = memfd_create("no-function", MFD_CLOEXEC);
  bool made = fd >= 0 && make_ones(fd);

  if (made) {
    register_page_init(page, PCI_ECAM_BUS_SIZE);
    made = map_ones(page, fd);
  }
  int reason = errno;
  if (fd >= 0)
    close(fd);
  if (made)
    return true;
  register_page_clear(page);
  g_set_error(error, G_FILE_ERROR, g_file_error_from_errno(reason), "cannot make the PCI configuration space: %s%s", g_strerror(reason),
              reason == EFBIG ? "; it is a file in memory of 64 KiB, and this process's files may not be as large (ulimit -f)" : "");
  return false;
}

void pci_ecam_plug(RegisterPage *page, PciFunction *function) {
  uint8_t *config = page->bytes + ((size_t)function->slot << ECAM_DEVICE_SHIFT);

  memset(config, 0, ECAM_FUNCTION_SIZE);
  memcpy(config, function->config, PCI_CONFIG_SIZE);
  function->config = config;
  register_page_publish(config, ECAM_FUNCTION_SIZE);
}

static bool is_read_only(const PciFunction *function, unsigned offset, unsigned size) {
  for (unsigned i = offset; i < offset + size; i++)
    if (function->writable[i] || function->write_one_to_clear[i])
      return false;
  return true;
}

/* Every driver writes to registers that are not there, to learn that they are not. */
static void defer_vain_writes(Shortcuts *shortcuts, uint64_t base, const PciFunction *function) {
  unsigned first = PCI_BAR0, end = PCI_BAR0 + 4 * PCI_N_BARS;

  while (first < end && !is_read_only(function, first, end - first))
    first += 4;
  if (first < end)
    shortcuts->defer(shortcuts, base + first, end - first, DEFER_UNTIL_NEXT);
  if (is_read_only(function, EXPANSION_ROM, 4))
    shortcuts->defer(shortcuts, base + EXPANSION_ROM, 4, DEFER_UNTIL_NEXT);
  if (is_read_only(function, LATENCY_TIMER, 1))
    shortcuts->defer(shortcuts, base + LATENCY_TIMER, 1, DEFER_UNTIL_NEXT);
}

void pci_ecam_connect(PciHost *host, uint64_t address, Shortcuts *shortcuts) {
  register_page_connect(&host->page, shortcuts, address);
  register_page_open(&host->page);
  for (unsigned slot = 0; slot < PCI_MAX_DEVICES; slot++)
    if (host->functions[slot])
      defer_vain_writes(shortcuts, address + ((uint64_t)slot << ECAM_DEVICE_SHIFT), host->functions[slot]);
}

void pci_function_want_reads(PciFunction *function, bool want) {
  PciHost *host = function->host;

  if (function->reads_wanted == want)
    return;
  function->reads_wanted = want;
  if (want)
    host->reads_wanted++;
  else
    host->reads_wanted--;
  if (host->reads_wanted > 0)
    register_page_close(&host->page);
  else
    register_page_open(&host->page);
}

Shortcuts *pci_function_shortcuts(const PciFunction *function) {
  return function->host ? function->host->page.shortcuts : NULL;
}
