/* SPDX-License-Identifier: Apache-2.0 */
/* Between fork and exec: only what is async-signal-safe (signal-safety(7)). */
#include "vmm/helpers/storage-cage.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#define CPU_SECONDS_MAX 60
#define MEMORY_MAX      (UINT64_C(4) << 30) /* of addresses: each of its threads takes some tens of MiB */

#ifdef __aarch64__
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#define ARCHITECTURE AUDIT_ARCH_X86_64
#endif
#define X32_BIT 0x40000000 /* x86's third set of numbers: arch/x86/include/uapi/asm/unistd.h */

#define LOAD(FIELD)             BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, FIELD))
#define IF(WHAT, VALUE, NO)     BPF_JUMP(BPF_JMP | (WHAT) | BPF_K, (VALUE), 0, (NO))
#define UNLESS(WHAT, VALUE, NO) BPF_JUMP(BPF_JMP | (WHAT) | BPF_K, (VALUE), (NO), 0)
#define RETURN(WHAT)            BPF_STMT(BPF_RET | BPF_K, (WHAT))

/* Of socket(2) by whatever number; those that it is given are another matter. */
static void refuse_sockets(void) {
  static const struct sock_filter program[] = {
      LOAD(arch),
      UNLESS(BPF_JEQ, ARCHITECTURE, 1),
      RETURN(SECCOMP_RET_ERRNO | EPERM),
      LOAD(nr),
      IF(BPF_JGE, X32_BIT, 1),
      RETURN(SECCOMP_RET_ERRNO | EPERM),
      IF(BPF_JEQ, SYS_socket, 1),
      RETURN(SECCOMP_RET_ERRNO | EACCES),
      RETURN(SECCOMP_RET_ALLOW),
  };
  const struct sock_fprog filter = {.len = sizeof program / sizeof *program, .filter = (struct sock_filter *)program};

  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0)
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter);
}

static void bound(int what, rlim_t max) {
  struct rlimit limit;

  if (getrlimit(what, &limit) < 0 || limit.rlim_cur <= max)
    return;
  limit.rlim_cur = max;
  setrlimit(what, &limit);
}

bool storage_cage_enter(const void *opaque) {
  const StorageCage *cage = opaque;

  if (cage->brief) {
    bound(RLIMIT_CPU, CPU_SECONDS_MAX);
    bound(RLIMIT_AS, MEMORY_MAX);
  }
  if (!cage->network)
    refuse_sockets();
  return true;
}
