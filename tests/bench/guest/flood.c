/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fills the console from inside the guest: so many KiB in lines of 64 bytes, then waits until the last of them has
 * left, and says how long it took.
 *
 *   flood KIB
 *
 * Prints: BENCH console NANOSECONDS
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define KIB           1024
#define LINE          64
#define NS_PER_SECOND 1000000000ull

static uint64_t now(void) {
  struct timespec time;

  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * NS_PER_SECOND + (uint64_t)time.tv_nsec;
}

int main(int argc, char **argv) {
  static char block[KIB];
  unsigned kib = argc == 2 ? (unsigned)atoi(argv[1]) : 0;

  memset(block, 'x', sizeof block);
  for (unsigned end = LINE - 1; end < KIB; end += LINE)
    block[end] = '\n';

  uint64_t start = now();
  for (unsigned i = 0; i < kib; i++)
    for (size_t done = 0; done < sizeof block;) {
      ssize_t n = write(STDOUT_FILENO, block + done, sizeof block - done);
      if (n <= 0)
        return 1;
      done += (size_t)n;
    }
  tcdrain(STDOUT_FILENO);
  printf("BENCH console %llu\n", (unsigned long long)(now() - start));
  return 0;
}
