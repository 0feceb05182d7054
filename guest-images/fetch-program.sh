#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Fetches programs of Debian's for arm64, with the libraries they need, for guests, emulated hosts and measurements: unpacked, never installed.
#
# Usage: fetch-program.sh NAME SUITE PACKAGE:PROGRAM...     for example: fetch-program.sh net-tools bookworm iperf3:usr/bin/iperf3
#
#   build/NAME/PROGRAM   each program, by the last part of its path
#   build/NAME/lib/      the libraries they need, and the loader
#   build/NAME/version   the packages' versions
#
# What is already there is left alone: a second call needs no network. An interrupted call leaves nothing half-made.
set -eu
umask 022

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/.." && pwd)
build=$root/build
# shellcheck source=guest-images/private-apt.sh
. "$here/private-apt.sh"

[ $# -ge 3 ] || fail "usage: fetch-program.sh NAME SUITE PACKAGE:PROGRAM..."
out=$build/$1
suite=$2
shift 2
is_there() { [ "$(sed -n '1s/^# //p' "$out/version" 2>/dev/null)" = "$suite $*" ]; }
! is_there "$@" || exit 0

take_turn program
! is_there "$@" || exit 0 # by now

packages=
for item; do packages="$packages ${item%%:*}"; done

# Nothing counts as installed in the private apt, so this is all that the packages depend on: "NAME VERSION", a line each.
dependencies() {
    # shellcheck disable=SC2086  # words
    private_apt apt-get -s install --no-install-recommends -t "$suite" $packages | sed -n 's/^Inst \([^ ]*\) (\([^ ]*\) .*/\1 \2/p'
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
[ -s "$work/dependencies" ] || fail "no$packages for arm64 can be had from $suite"
say "downloading$packages for arm64 and the libraries needed"
while read -r name version; do
    case " $packages " in
    *" $name "*) ;;
    *)
        case $name in
        lib*-perl | lib*-dev | libperl* | libpython*) continue ;;
        lib* | zlib1g) ;;
        *) continue ;; # nothing of these is linked to
        esac
        ;;
    esac
    fetch "$name" "$version"
    dpkg-deb -x "$build/cache/${name}_$version.deb" "$work/tree"
done < "$work/dependencies"
echo "# $suite $*" > "$work/new/version"
for item; do
    program=$work/new/$(basename "${item#*:}")
    cp "$work/tree/${item#*:}" "$program"
    take_libraries "$program"
    sed -n "s/^${item%%:*} /&/p" "$work/dependencies" >> "$work/new/version"
done
rm -rf "$out"
mv "$work/new" "$out"
