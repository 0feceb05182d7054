#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Fetches CBMC, the bounded model checker, of Debian 13, into build/cbmc, with the libraries that it needs and their loader, as the host's may be older.
# Nothing is installed. What is already there is left alone. Where it cannot be had, says so and ends with status 77.
#
#   build/cbmc/bin/cbmc     starts it
set -eu
umask 022

root=$(cd "$(dirname "$0")/../.." && pwd)
build=$root/build
[ ! -e "$build/cbmc/bin/cbmc" ] || exit 0
# shellcheck source=guest-images/debian.sh
. "$root/guest-images/debian.sh"
fail() { echo "there is no CBMC: $*" >&2; exit 77; }

command -v apt-get > /dev/null || fail "it comes as a Debian package, and there is no apt-get here"
mkdir -p "$build"
exec 9> "$build/.fetch.lock"
flock 9
[ ! -e "$build/cbmc/bin/cbmc" ] || exit 0 # by now
work=$(mktemp -d "$build/.cbmc.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"
debian_sources trixie > sources || fail "no apt source for Debian found under /etc/apt"
debian_fetch trixie cbmc minisat libc6 libstdc++6 libgcc-s1 > messages || fail "$(head -n 1 messages)"
tree=$work/trixie/root
new=$work/new
# shellcheck source=guest-images/libraries.sh
. "$root/guest-images/libraries.sh"
add_program "$tree/usr/bin/cbmc"
rm -rf "$build/cbmc"
mv "$new" "$build/cbmc"
