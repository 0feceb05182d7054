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
# What is already there is left alone, unless this script is newer. The packages are those that apt would install.
set -eu
umask 022

here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$here/.." && pwd)/build
[ $# = 1 ] || { echo "usage: back-ends.sh OUT" >&2; exit 1; }
out=$1
[ ! -e "$out/bin" ] || [ "$here/back-ends.sh" -nt "$out/bin" ] || exit 0

mkdir -p "$build"
exec 9> "$build/.fetch.lock"
flock 9
work=$(mktemp -d "$build/.back-ends.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
# shellcheck source=guest-images/private-apt.sh
. "$here/private-apt.sh"
use_suites debian-13 trixie trixie-updates

# What is installed beside them where nothing is there yet.
wanted() {
    private_apt apt-get -s -q --no-install-recommends install passt virtiofsd qemu-utils | sed -n 's/^Inst \([^ ]*\) .*/\1/p'
}

declare -A seen
# add_libraries PROGRAM: those that it needs, and theirs, and the loader.
add_libraries() {
    local name file
    while read -r name; do
        [ -z "${seen[$name]-}" ] || continue
        seen[$name]=1
        file=$(find "$work/tree" -name "$name" \( -type f -o -xtype f \) -print -quit)
        [ -n "$file" ] || fail "$1 needs $name, which none of the packages has"
        cp -L "$file" "$new/lib/"
        add_libraries "$file"
    done < <(readelf -dl "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p; s,.*program interpreter: .*/\(.*\)\],\1,p')
}

prepare_apt
for package in $(wanted); do
    download "$package" "$work/tree"
done
new=$work/new
mkdir -p "$new/bin" "$new/lib" "$new/libexec"
for name in virtiofsd qemu-storage-daemon passt; do
    program=$(find "$work/tree/usr/bin" "$work/tree/usr/libexec" -name "$name" -type f -print -quit)
    [ -n "$program" ] || fail "none of Debian 13's packages has $name"
    cp "$program" "$new/libexec/"
    add_libraries "$program"
    # The loader is named in the program by a path where the host has its own.
    cat > "$new/bin/$name" <<'END'
#!/bin/sh
here=$(cd "$(dirname "$0")/.." && pwd)
exec "$here/lib/ld-linux-aarch64.so.1" --argv0 "${0##*/}" --library-path "$here/lib" "$here/libexec/${0##*/}" "$@"
END
    chmod 755 "$new/bin/$name"
done
rm -rf "$out"
mv "$new" "$out"
