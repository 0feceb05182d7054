/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake-ssh ARGUMENT...: what ssh(1) does with its ProxyCommand and ProxyUseFdpass, and nothing else: it is connected,
 * sends its standard input, ends that half, and writes what comes back. The arguments go to the file `arguments`, a
 * line each. ProxyCommand is taken from -o, or from the file behind -F. Status 7, or 255 where it was not connected.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DONE = 7, FAILED = 255, PIECE = 65536, LINE = 4096 };

static int fail(const char *what) {
  fprintf(stderr, "fake-ssh: %s: %s\n", what, strerror(errno));
  return FAILED;
}

static int keep_arguments(char **argv) {
  FILE *out = fopen("arguments", "w");

  for (; out && *argv; argv++)
    fprintf(out, "%s\n", *argv);
  return out && fclose(out) == 0 ? 0 : -1;
}

static char *from_file(const char *path) {
  static char line[LINE];
  FILE *in = fopen(path, "r");
  char *command = NULL;

  while (in && !command && fgets(line, sizeof line, in))
    if (strncmp(line, "  ProxyCommand ", 15) == 0)
      command = line + 15;
  if (in)
    fclose(in);
  return command;
}

static char *find_proxy(char **argv) {
  char *command = NULL;

  for (; argv[0] && argv[1]; argv++) {
    if (strcmp(argv[0], "-o") == 0 && strncmp(argv[1], "ProxyCommand=", 13) == 0)
      return argv[1] + 13;
    if (strcmp(argv[0], "-F") == 0)
      command = from_file(argv[1]);
  }
  return command;
}

static int start(char *command, int *end) {
  int pair[2];

  if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
    return -1;
  pid_t child = fork();
  if (child == 0) {
    if (dup2(pair[1], STDIN_FILENO) < 0 || dup2(pair[1], STDOUT_FILENO) < 0)
      _exit(FAILED);
    close(pair[0]);
    close(pair[1]);
    execl("/bin/sh", "sh", "-c", command, NULL);
    _exit(FAILED);
  }
  close(pair[1]);
  *end = pair[0];
  return child;
}

/* The descriptor that comes on END; -1: none does. */
static int receive(int end) {
  union {
    char bytes[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
  } control;
  char byte;
  struct iovec iov = {&byte, 1};
  struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
  int fd = -1;

  if (recvmsg(end, &message, 0) != 1)
    return -1;
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  if (header && header->cmsg_type == SCM_RIGHTS)
    memcpy(&fd, CMSG_DATA(header), sizeof fd);
  return fd;
}

static int copy(int from, int to, int *ended) {
  char bytes[PIECE];
  ssize_t got = read(from, bytes, sizeof bytes);

  *ended = got <= 0;
  for (ssize_t done = 0, put; done < got; done += put)
    if ((put = write(to, bytes + done, (size_t)(got - done))) < 0)
      return -1;
  return got < 0 ? -1 : 0;
}

static int exchange(int fd) {
  int input_ended = 0, over = 0;

  while (!over) {
    struct pollfd fds[] = {{.fd = fd, .events = POLLIN}, {.fd = input_ended ? -1 : STDIN_FILENO, .events = POLLIN}};
    if (poll(fds, 2, -1) < 0)
      return fail("poll");
    if (fds[1].revents && copy(STDIN_FILENO, fd, &input_ended) < 0)
      return fail("to the guest");
    if (fds[1].revents && input_ended)
      shutdown(fd, SHUT_WR);
    if (fds[0].revents && copy(fd, STDOUT_FILENO, &over) < 0)
      return fail("from the guest");
  }
  return DONE;
}

int main(int argc, char **argv) {
  (void)argc;
  char *command = find_proxy(argv);
  int end, status;

  if (keep_arguments(argv + 1) < 0 || !command)
    return fail("no ProxyCommand");
  pid_t child = start(command, &end);
  if (child < 0)
    return fail("the proxy");
  int fd = receive(end);
  if (waitpid(child, &status, 0) != child || fd < 0)
    return fail("no connection");
  return exchange(fd);
}
