/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a command and writes what it took, a word and a number a line: the wall clock from just before its exec to its
 * end, processor time, the peak of its resident memory, and how it ended. CLOCK_MONOTONIC, which is also the clock that
 * the tracing is set to.
 *
 *   timed [-t SECONDS] [-u TEXT] FILE COMMAND...
 *
 *   -t: killed after so many seconds     -u: killed when it has written TEXT to its standard output, which counts as
 *                                        its end; the status is then 0, and that of a command which never does is 1
 */
#define _GNU_SOURCE /* memmem, pipe2 */
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
#define NEVER_REACHED  1
#define CHUNK          4096 /* of what the command writes, and the longest TEXT */
#define SIGNAL_BASE    128  /* of a shell's status for a process that a signal ended */

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

/*
 * Whether `text` comes by; all goes on to standard output. Of what came before a piece, as much is kept as `text` may
 * have begun in.
 */
static bool comes(int fd, const char *text) {
  char seen[2 * CHUNK];
  size_t kept = 0, length = strlen(text);
  ssize_t n;

  while ((n = read(fd, seen + kept, CHUNK)) > 0) {
    size_t have = kept + (size_t)n;
    if (write(STDOUT_FILENO, seen + kept, (size_t)n) != n)
      return false;
    if (memmem(seen, have, text, length))
      return true;
    kept = have < length ? have : length - 1;
    memmove(seen, seen + have - kept, kept);
  }
  return false;
}

int main(int argc, char **argv) {
  unsigned limit = 0;
  const char *until = NULL;
  int first = 1, output[2] = {-1, -1};

  if (!keep_standard_fds())
    return 2;
  for (; argc > first + 1 && argv[first][0] == '-'; first += 2) {
    if (strcmp(argv[first], "-t") == 0)
      limit = (unsigned)atoi(argv[first + 1]);
    else if (strcmp(argv[first], "-u") == 0 && strlen(argv[first + 1]) < CHUNK)
      until = argv[first + 1];
    else
      break;
  }
  if (argc < first + 2 || argv[first][0] == '-') {
    fprintf(stderr, "usage: timed [-t SECONDS] [-u TEXT] FILE COMMAND...\n");
    return 2;
  }
  if (until && pipe2(output, O_CLOEXEC) < 0) {
    perror("pipe");
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
    if (until)
      dup2(output[1], STDOUT_FILENO);
    execvp(argv[first + 1], argv + first + 1);
    perror(argv[first + 1]);
    _exit(CANNOT_EXECUTE);
  }
  signal(SIGALRM, kill_child);
  alarm(limit);
  uint64_t end = 0;
  if (until) {
    close(output[1]);
    if (comes(output[0], until))
      end = now();
    kill(child, SIGKILL);
  }

  struct rusage usage = {0};
  int status = 0;
  while (wait4(child, &status, 0, &usage) < 0)
    continue; /* interrupted by the alarm */
  int code = WIFEXITED(status) ? WEXITSTATUS(status) : SIGNAL_BASE + WTERMSIG(status);
  if (until)
    code = end ? 0 : NEVER_REACHED;
  if (!end)
    end = now();

  fprintf(out, "start %" PRIu64 "\nwall %" PRIu64 "\nuser %" PRIu64 "\nsystem %" PRIu64 "\nrss %ld\nstatus %d\n", start, end - start,
          timeval_ns(usage.ru_utime), timeval_ns(usage.ru_stime), usage.ru_maxrss, code);
  return fclose(out) == 0 ? code : 2;
}
