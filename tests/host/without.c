/* SPDX-License-Identifier: Apache-2.0 */
/*
 * without WHAT... -- COMMAND...: runs COMMAND on a kernel that has not WHAT: landlock, unshare (and with it namespaces
 * of one's own) or seccomp (as far as it can be asked about). Linux: seccomp(2).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct {
  const char *name;
  unsigned number;
} calls[] = {{"landlock", SYS_landlock_create_ruleset}, {"unshare", SYS_unshare}, {"seccomp", SYS_seccomp}};

static int fail(const char *what) {
  fprintf(stderr, "without: %s: %s\n", what, strerror(errno));
  return 125;
}

static int take_away(const char *name) {
  for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, calls[i].number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog filter = {sizeof program / sizeof *program, program};

    if (strcmp(calls[i].name, name) == 0)
      return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter);
  }
  errno = EINVAL;
  return -1;
}

int main(int argc, char **argv) {
  int i = 1;

  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
    return fail("no_new_privs");
  for (; i < argc && strcmp(argv[i], "--") != 0; i++)
    if (take_away(argv[i]) < 0)
      return fail(argv[i]);
  if (i + 1 >= argc)
    return 125;
  execvp(argv[i + 1], argv + i + 1);
  return fail(argv[i + 1]);
}
