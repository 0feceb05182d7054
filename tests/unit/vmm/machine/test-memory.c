/* SPDX-License-Identifier: Apache-2.0 */
/* Guest RAM, of this process alone and shared: vmm/machine/memory.c. */
#define _GNU_SOURCE /* F_GET_SEALS */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/machine/machine.h"
#include "vmm/machine/memory.h"

#define SIZE (UINT64_C(4) << 20)

static void test_private(void) {
  g_autoptr(GError) error = NULL;
  GuestRam ram;

  g_assert_true(guest_ram_init(&ram, SIZE, &error));
  g_assert_no_error(error);
  g_assert_cmpint(ram.fd, ==, -1);
  g_assert_cmpuint((uintptr_t)ram.host % (2 << 20), ==, 0);
  ram.host[0] = ram.host[SIZE - 1] = 1;
  guest_ram_discard(&ram);
  g_assert_cmpuint(ram.host[0], ==, 0);
  g_assert_cmpuint(ram.host[SIZE - 1], ==, 0);
  guest_ram_clear(&ram);
  g_assert_null(ram.host);
  guest_ram_discard(&ram); /* of none */
  guest_ram_clear(&ram);
}

/* Blocks that the file holds. */
static blkcnt_t held(int fd) {
  struct stat stat;

  g_assert_cmpint(fstat(fd, &stat), ==, 0);
  g_assert_cmpuint((uint64_t)stat.st_size, ==, SIZE);
  return stat.st_blocks;
}

static void test_shared(void) {
  g_autoptr(GError) error = NULL;
  GuestRam ram;

  g_assert_true(guest_ram_init_shared(&ram, SIZE, &error));
  g_assert_no_error(error);
  g_assert_cmpuint((uintptr_t)ram.host % (2 << 20), ==, 0);
  g_assert_cmpint(fcntl(ram.fd, F_GETFD), ==, FD_CLOEXEC);
  g_assert_cmpint(held(ram.fd), ==, 0); /* nothing before it is touched */
  uint8_t *other = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, ram.fd, 0);
  g_assert_true(other != MAP_FAILED);
  ram.host[5] = 7;
  g_assert_cmpuint(other[5], ==, 7);
  other[SIZE - 1] = 9;
  g_assert_cmpuint(ram.host[SIZE - 1], ==, 9);
  g_assert_cmpint(held(ram.fd), >, 0);

  /* Who is let in cannot take it away from us. */
  g_assert_cmpint(ftruncate(ram.fd, 0), <, 0);
  g_assert_cmpint(errno, ==, EPERM);
  g_assert_cmpint(ftruncate(ram.fd, SIZE * 2), <, 0);
  g_assert_cmpint(fcntl(ram.fd, F_ADD_SEALS, F_SEAL_WRITE), <, 0);

  /* Discarded, it is zero for everybody, and back with the host. */
  guest_ram_discard(&ram);
  g_assert_cmpint(held(ram.fd), ==, 0);
  g_assert_cmpuint(other[5], ==, 0);
  g_assert_cmpuint(ram.host[SIZE - 1], ==, 0);
  int fd = ram.fd;
  guest_ram_clear(&ram);
  g_assert_cmpint(fcntl(fd, F_GETFD), <, 0);
  munmap(other, SIZE);
}

static void test_too_much(void) {
  g_autoptr(GError) error = NULL;
  GuestRam ram;

  g_assert_false(guest_ram_init_shared(&ram, UINT64_C(1) << 60, &error));
  g_assert_error(error, MACHINE_ERROR, MACHINE_ERROR_HOST);
  g_assert_true(strstr(error->message, "--memory"));
  g_assert_null(ram.host);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/memory/private", test_private);
  g_test_add_func("/memory/shared", test_shared);
  g_test_add_func("/memory/too-much", test_too_much);
  return g_test_run();
}
