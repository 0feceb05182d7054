#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# liburing 2.3 (Debian 12): its header and its manual declare io_uring_register_restrictions and io_uring_enable_rings,
# and its static library has them, but its shared library exports neither. So a program that restricts a ring, as
# io_uring_register(2) says to, cannot be linked.
#
# Expected: what the header declares can be linked from either library, as with liburing 2.9 (Debian 13).
# Seen: "undefined reference to `io_uring_register_restrictions'" with the shared one alone.
# Met by: who confines a thread by seccomp and its ring by restrictions; the way around is io_uring_register(), which
#   2.3 exports, with IORING_REGISTER_RESTRICTIONS and IORING_REGISTER_ENABLE_RINGS.
#
# Usage: liburing-restrictions-not-in-shared-library.sh     needs apt and gcc on Debian 12 (amd64); exit status 0: still so
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
# shellcheck source=guest-images/debian.sh
. "$root/guest-images/debian.sh"
cd "$here"

debian_fetch bookworm liburing2=2.3-3 liburing-dev=2.3-3
debian_fetch trixie liburing2=2.9-1

cat > restrict.c << 'END'
#include <liburing.h>
#include <stdio.h>

int main(void) {
  struct io_uring_restriction only = {.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_READV};
  struct io_uring ring;

  if (io_uring_queue_init(8, &ring, IORING_SETUP_R_DISABLED) < 0)
    return puts("no io_uring") < 0;
  return io_uring_register_restrictions(&ring, &only, 1) < 0 || io_uring_enable_rings(&ring) < 0;
}
END
old=bookworm/root/usr/lib/x86_64-linux-gnu

# links LIBRARY: what it says, or that it does.
links() {
    if gcc -I bookworm/root/usr/include -o restrict restrict.c "$1" > said 2>&1; then echo "links"
    else grep -o 'undefined reference to .*' said | LC_ALL=C sort -u | tr '\n' ' ' | sed 's/ $//'; fi
}
shared=$(links "$old/liburing.so.2")
static=$(links "$old/liburing.a")
newer=$(links trixie/root/usr/lib/x86_64-linux-gnu/liburing.so.2)
echo "2.3, shared: $shared"
echo "2.3, static: $static"
echo "2.9, shared: $newer"
[ "$shared" = "undefined reference to \`io_uring_enable_rings' undefined reference to \`io_uring_register_restrictions'" ]
[ "$static" = links ]
[ "$newer" = links ]
