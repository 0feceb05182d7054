#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Fetches the libraries of a release of Debian's that eret may need, for arm64: a host of that release has these, the C
# library with its loader among them, while eret is built against those of the machine that it is built on.
#
# Usage: host-libraries.sh 13 OUT
#
#   OUT/lib/              libraries by the names that the loader looks for, and the loader
#   OUT/versions          "PACKAGE VERSION" of each package that they are from
#   OUT/sums              sha256sum's list of them
#   build/debian-13/      apt's lists for that suite, and the packages
#
# What is already there is left alone, unless this script is newer. The packages are those that apt would install.
set -eu
umask 022

here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$here/.." && pwd)/build
usage() { echo "usage: host-libraries.sh 13 OUT" >&2; exit 1; }
[ $# = 2 ] || usage
case $1 in
13) suite=trixie ;;
*) usage ;;
esac
out=$2
[ ! -e "$out/sums" ] || [ "$here/host-libraries.sh" -nt "$out/sums" ] || exit 0
# shellcheck source=guest-images/private-apt.sh
. "$here/private-apt.sh"

# One of each in the Makefile's PACKAGES, and what is linked to beside them.
wanted="libc6 libglib2.0-0t64 libjson-glib-1.0-0 zlib1g libzstd1 liblz4-1 liburing2 libtracefs1 libtraceevent1 libelf1t64 libcrypt1
    libfdt1 libarchive13t64"

begin_debian "$1" "$suite"
# shellcheck disable=SC2086  # words
packages_of_all=$(with_dependencies $wanted)
for package in $packages_of_all; do
    download "$package" "$tree"
    # shellcheck disable=SC2016  # dpkg's own
    dpkg-deb -W --showformat '${Package} ${Version}\n' "$packages/$package.deb" >> "$new/versions"
done
mkdir "$new/lib"
for file in "$tree"/usr/lib/aarch64-linux-gnu/*.so.* "$tree"/lib/aarch64-linux-gnu/*.so.*; do
    [ ! -f "$file" ] || cp -L "$file" "$new/lib/"
done
[ -e "$new/lib/ld-linux-aarch64.so.1" ] || fail "none of Debian $1's packages has the loader"
(cd "$new/lib" && sha256sum -- *) > "$new/sums"
finish_debian "$out"
