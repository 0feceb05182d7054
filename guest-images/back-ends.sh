#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Fetches programs of others that work for a machine, Debian's for arm64: of 13 virtiofsd, qemu-storage-daemon, passt,
# what makes disks for them and serves NBD, qemu-img and qemu-nbd, mtools, and what reads and unpacks container images,
# skopeo and umoci; of 12 qemu-storage-daemon, and the virtiofsd that came with QEMU.
#
# Usage: back-ends.sh 12|13 OUT
#
#   OUT/bin/NAME          starts it
#   OUT/libexec/NAME      the program
#   OUT/lib/              all libraries that they need, and their loader: the host's may be older
#   build/debian-1?/      apt's lists for that suite, and the packages
#
# What is already there is left alone, unless this script or libraries.sh is newer. The packages are those that apt would install.
set -eu
umask 022

here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$here/.." && pwd)/build
usage() { echo "usage: back-ends.sh 12|13 OUT" >&2; exit 1; }
[ $# = 2 ] || usage
case $1 in
12) suite=bookworm packages_of=qemu-system-common names="qemu-storage-daemon virtiofsd" ;;
13) suite=trixie packages_of="passt virtiofsd qemu-utils mtools skopeo umoci" names="virtiofsd qemu-storage-daemon passt qemu-img qemu-nbd mtools skopeo umoci" ;;
*) usage ;;
esac
out=$2
[ ! -e "$out/bin" ] || [ "$here/back-ends.sh" -nt "$out/bin" ] || [ "$here/libraries.sh" -nt "$out/bin" ] || exit 0
# shellcheck source=guest-images/private-apt.sh
. "$here/private-apt.sh"
# shellcheck source=guest-images/libraries.sh
. "$here/libraries.sh"

begin_debian "$1" "$suite"
# shellcheck disable=SC2086  # words
for package in $(with_dependencies $packages_of); do
    download "$package" "$tree"
done
for name in $names; do
    program=$(find "$tree/usr/bin" "$tree/usr/libexec" "$tree/usr/lib/qemu" -name "$name" -type f -print -quit 2> /dev/null || true)
    [ -n "$program" ] || fail "none of Debian $1's packages has $name"
    add_program "$program"
done
# One program with many names.
for name in mformat mcopy mdir mtype; do
    [ ! -e "$new/bin/mtools" ] || { ln -s mtools "$new/libexec/$name" && cp "$new/bin/mtools" "$new/bin/$name"; }
done
finish_debian "$out"
