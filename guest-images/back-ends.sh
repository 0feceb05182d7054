#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Fetches vhost-user back ends of others, Debian 13's for arm64: virtiofsd, qemu-storage-daemon, and passt.
#
# Usage: back-ends.sh OUT
#
#   OUT/bin/NAME          starts it
#   OUT/libexec/NAME      the program
#   OUT/lib/              all libraries that they need, and their loader: the host's may be older
#   build/debian-13/      apt's lists for that suite, and the packages
#
# What is already there is left alone, unless this script or libraries.sh is newer. The packages are those that apt would install.
set -eu
umask 022

here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$here/.." && pwd)/build
[ $# = 1 ] || { echo "usage: back-ends.sh OUT" >&2; exit 1; }
out=$1
[ ! -e "$out/bin" ] || [ "$here/back-ends.sh" -nt "$out/bin" ] || [ "$here/libraries.sh" -nt "$out/bin" ] || exit 0

mkdir -p "$build"
exec 9> "$build/.fetch.lock"
flock 9
work=$(mktemp -d "$build/.back-ends.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
# shellcheck source=guest-images/private-apt.sh
. "$here/private-apt.sh"
# shellcheck source=guest-images/libraries.sh
. "$here/libraries.sh"
use_suites debian-13 trixie trixie-updates
tree=$work/tree
new=$work/new

prepare_apt
for package in $(with_dependencies passt virtiofsd qemu-utils); do
    download "$package" "$tree"
done
for name in virtiofsd qemu-storage-daemon passt; do
    program=$(find "$tree/usr/bin" "$tree/usr/libexec" -name "$name" -type f -print -quit)
    [ -n "$program" ] || fail "none of Debian 13's packages has $name"
    add_program "$program"
done
rm -rf "$out"
mkdir -p "$(dirname "$out")"
mv "$new" "$out"
