#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Fetches Debian's arm64 QEMU, and the libraries it needs, for eret to be measured beside: unpacked, never installed.
#
# Usage: fetch-qemu.sh
#
#   build/qemu-arm64/qemu-system-aarch64   the program
#   build/qemu-arm64/lib/                  the libraries it needs, and the loader
#   build/qemu-arm64/version               the package's version
#
# What is already there is left alone: a second call needs no network. An interrupted call leaves nothing half-made.
set -eu
umask 022

root=$(cd "$(dirname "$0")/../.." && pwd)
here=$root/guest-images
build=$root/build
# shellcheck source=guest-images/private-apt.sh
. "$here/private-apt.sh"

package=qemu-system-arm
suite=bookworm-backports
out=$build/qemu-arm64
[ ! -e "$out/version" ] || exit 0

mkdir -p "$build"
exec 9> "$build/.fetch.lock"
flock 9
[ ! -e "$out/version" ] || exit 0
work=$(mktemp -d "$build/.qemu.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# Nothing counts as installed in the private apt, so this is all that the package depends on: "NAME VERSION", a line each.
dependencies() {
    private_apt apt-get -s install --no-install-recommends -t "$suite" "$package" | sed -n 's/^Inst \([^ ]*\) (\([^ ]*\) .*/\1 \2/p'
}

# fetch NAME VERSION: leaves build/cache/NAME_VERSION.deb
fetch() {
    [ ! -e "$build/cache/$1_$2.deb" ] || return 0
    mkdir -p "$work/deb"
    (cd "$work/deb" && private_apt apt-get -qq download "$1=$2") >&2 || fail "cannot download $1 $2"
    mv "$work/deb"/*.deb "$build/cache/$1_$2.deb"
}

# take_libraries FILE: copies the libraries that an ARM64 program needs, and theirs, and the loader.
take_libraries() {
    for library in $(readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'; readelf -l "$1" | sed -n 's,.*program interpreter: .*/\(.*\)\],\1,p'); do
        [ ! -e "$work/new/lib/$library" ] || continue
        path=$(find "$work/tree" -name "$library" | head -n 1)
        [ -n "$path" ] || fail "$1 needs $library, which none of its packages has"
        # A link is good for the file beside it, which is what the loader looks for by this name.
        cp "$(dirname "$path")/$(basename "$(readlink "$path" || echo "$library")")" "$work/new/lib/$library"
        take_libraries "$work/new/lib/$library"
    done
}

prepare_apt
mkdir -p "$build/cache" "$work/tree" "$work/new/lib"
dependencies > "$work/dependencies"
[ -s "$work/dependencies" ] || fail "no $package for arm64 can be had from $suite"
say "downloading $package for arm64 and its libraries"
while read -r name version; do
    case $name in
    lib*-perl | lib*-dev | libperl* | libpython*) continue ;;
    lib* | zlib1g | "$package") ;;
    *) continue ;; # nothing of these is linked to
    esac
    fetch "$name" "$version"
    dpkg-deb -x "$build/cache/${name}_$version.deb" "$work/tree"
done < "$work/dependencies"
cp "$work/tree/usr/bin/qemu-system-aarch64" "$work/new/"
take_libraries "$work/new/qemu-system-aarch64"
sed -n "s/^$package //p" "$work/dependencies" > "$work/new/version"
rm -rf "$out"
mv "$work/new" "$out"
