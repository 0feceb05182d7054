#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Linux 6.12 (Debian's arm64 kernel), Landlock with scoped signals (LANDLOCK_SCOPE_SIGNAL, version 6 of its interface): a
# process that has restricted itself so keeps its children from before from the signal that they asked for at its death
# (PR_SET_PDEATHSIG). The kernel sends that one in the dying parent's name, and asks Landlock as for any other.
#
# Expected: prctl(2) has the kernel send it, whatever the parent may do; landlock(7) and the kernel's documentation of
#   scopes speak of signals that a process sends. The child asked for it before its parent was restricted.
# Seen: without the scope the child is gone when its parent has ended; with it, the child lives on, and nobody is told.
# Met by: who starts helpers that are to end with it, and then gives up what it can (a sandbox of a daemon's own).
#
# Usage: landlock-scope-holds-parent-death-signal.sh     needs apt, cpio and gcc-aarch64-linux-gnu on Debian 12 (amd64);
#                                                        exit status 0: still so
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
# shellcheck source=guest-images/debian.sh
. "$root/guest-images/debian.sh"
cd "$here"

debian_fetch_whole amd64 qemu bookworm qemu-system-arm=1:7.2+dfsg-7+deb12u18+b3
debian_fetch_whole arm64 guest "bookworm bookworm-backports" linux-image-6.12.95+deb12-cloud-arm64-unsigned

cat > init.c << 'END'
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

static int scope_signals(void) {
  const struct { uint64_t fs, net, scoped; } rules = {0, 0, 2};
  int ruleset = (int)syscall(444, &rules, sizeof rules, 0);

  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  return ruleset < 0 ? -1 : (int)syscall(446, ruleset, 0);
}

/* A parent, and its child, which is this process's in the end. */
static void try(const char *name, int scoped) {
  int told[2], status;

  if (pipe(told) < 0)
    return;
  pid_t parent = fork();
  if (parent == 0) {
    pid_t child = fork();
    if (child == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (write(told[1], "x", 1) == 1)
        sleep(3);
      _exit(7);
    }
    char byte;
    if (read(told[0], &byte, 1) == 1 && scoped && scope_signals() < 0)
      printf("there is no such scope\n");
    _exit(0);
  }
  waitpid(parent, NULL, 0);
  waitpid(-1, &status, 0);
  printf("%s: the child %s\n", name, WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? "got its signal" : "lived on");
  fflush(stdout);
}

int main(void) {
  mknod("/console", S_IFCHR | 0600, makedev(5, 1));
  int fd = open("/console", O_RDWR);
  dup2(fd, 1);
  try("without", 0);
  try("with scoped signals", 1);
  sync();
  reboot(RB_POWER_OFF);
}
END
mkdir initrd
aarch64-linux-gnu-gcc -O1 -static -o initrd/init init.c
(cd initrd && find . | cpio -o -H newc --quiet) > initrd.cpio
machine=$(find qemu -name qemu-system-aarch64)
LD_LIBRARY_PATH=$here/qemu/usr/lib/x86_64-linux-gnu:$here/qemu/lib/x86_64-linux-gnu timeout 600 "$machine" \
    -M virt -cpu cortex-a57 -m 512 -nodefaults -display none -serial stdio -no-reboot \
    -kernel guest/boot/vmlinuz-* -initrd initrd.cpio -append 'console=ttyAMA0 quiet' > console 2>&1 < /dev/null
tr -d '\r' < console | grep 'the child' || { cat console >&2; exit 2; }
tr -d '\r' < console | grep -qx 'without: the child got its signal'
tr -d '\r' < console | grep -qx 'with scoped signals: the child lived on'
