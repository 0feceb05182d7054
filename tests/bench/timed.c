/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a command and writes what it took, a word and a number a line: the wall clock from just before its exec to its
 * end, processor time, the peak of its resident memory, and how it ended. CLOCK_MONOTONIC, which is also the clock that
 * the tracing is set to.
 *
 *   timed [-t SECONDS] FILE COMMAND...      -t: killed after so many seconds
 */
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_SECOND  1000000000ull
#define NS_PER_US      1000ull
#define CANNOT_EXECUTE 127
#define SIGNAL_BASE    128 /* of a shell's status for a process that a signal ended */

static pid_t child;

static void kill_child(int number) {
  (void)number;
  kill(child, SIGKILL);
}

static uint64_t now(void) {
  struct timespec time;

  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * NS_PER_SECOND + (uint64_t)time.tv_nsec;
}

static uint64_t timeval_ns(struct timeval time) {
  return (uint64_t)time.tv_sec * NS_PER_SECOND + (uint64_t)time.tv_usec * NS_PER_US;
}

/* The figures must not take the place of a standard stream that is closed: the command would write into them. */
static bool keep_standard_fds(void) {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
    if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) != fd)
      return false;
  return true;
}

int main(int argc, char **argv) {
  unsigned limit = 0;
  int first = 1;

  if (!keep_standard_fds())
    return 2;
  if (argc > 2 && strcmp(argv[1], "-t") == 0) {
    limit = (unsigned)atoi(argv[2]);
    first = 3;
  }
  if (argc < first + 2) {
    fprintf(stderr, "usage: timed [-t SECONDS] FILE COMMAND...\n");
    return 2;
  }
  FILE *out = fopen(argv[first], "we");
  if (!out) {
    perror(argv[first]);
    return 2;
  }

  uint64_t start = now();
  child = fork();
  if (child == 0) {
    execvp(argv[first + 1], argv + first + 1);
    perror(argv[first + 1]);
    _exit(CANNOT_EXECUTE);
  }
  signal(SIGALRM, kill_child);
  alarm(limit);

  struct rusage usage = {0};
  int status = 0;
  while (wait4(child, &status, 0, &usage) < 0)
    continue; /* interrupted by the alarm */
  uint64_t end = now();
  int code = WIFEXITED(status) ? WEXITSTATUS(status) : SIGNAL_BASE + WTERMSIG(status);

  fprintf(out, "start %" PRIu64 "\nwall %" PRIu64 "\nuser %" PRIu64 "\nsystem %" PRIu64 "\nrss %ld\nstatus %d\n", start, end - start,
          timeval_ns(usage.ru_utime), timeval_ns(usage.ru_stime), usage.ru_maxrss, code);
  return fclose(out) == 0 ? code : 2;
}
