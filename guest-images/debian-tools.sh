#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Makes a root of Debian 13's for arm64 with what programmers work with, and with what makes file systems work: git,
# make, gcc, stress-ng.
#
# Usage: debian-tools.sh OUT
#
#   OUT/tools.ext4     the root, which nobody has booted: for eret exec
#
# What is already there is left alone, unless this script is newer, or what it shares with others.
set -eu
umask 022

here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$here/.." && pwd)/build
[ $# = 1 ] || { echo "usage: debian-tools.sh OUT" >&2; exit 1; }
out=$1
[ ! -e "$out/tools.ext4" ] || [ -n "$(find "$here/debian-tools.sh" "$here/debian-tree.sh" -newer "$out/tools.ext4")" ] || exit 0
# shellcheck source=guest-images/debian-tree.sh
. "$here/debian-tree.sh"
base="dash bash coreutils grep sed findutils diffutils mount" # no systemd: nothing of it is booted

begin_debian 13 trixie
unpack git make gcc libc6-dev stress-ng
# What stress-ng could show on a screen, git says in Perl, and gcc has for other ends.
rm -rf "$tree"/usr/bin/*lto-dump* "$tree"/usr/lib/aarch64-linux-gnu/{libLLVM*,libgallium*,dri,libz3*,perl} "$tree"/usr/share/{perl,gitweb,git-core/contrib} \
    "$tree"/usr/lib/gcc/aarch64-linux-gnu/*/{lto1,lto-dump,liblsan*,libtsan*,libasan*,libubsan*,libhwasan*} "$tree"/usr/lib/aarch64-linux-gnu/lib{a,t,l,ub,hwa}san.so*
echo "root:x:0:0:root:/root:/bin/bash" > "$tree/etc/passwd"
echo "root:x:0:" > "$tree/etc/group"
mkdir -p "$tree/root" "$tree/src"
make_ext4 "$new/tools.ext4"
finish_debian "$out"
