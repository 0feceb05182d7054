#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Makes a root file system of Debian 13's for arm64 with systemd, udev and sshd, and OpenSSH's programs for an emulated
# host:
#
# Usage: debian-root.sh OUT
#
#   OUT/root.ext4         the root: no password, no key of anybody's, no network
#   OUT/bin/ssh, ssh-keygen    start OpenSSH's, with OUT/libexec/ and OUT/lib/, as the host's libraries may be older
#
# What is already there is left alone, unless this script is newer, or what it shares with debian-disk.sh:
# debian-tree.sh.
set -eu
umask 022

here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$here/.." && pwd)/build
[ $# = 1 ] || { echo "usage: debian-root.sh OUT" >&2; exit 1; }
out=$1
[ ! -e "$out/root.ext4" ] || [ -n "$(find "$here/debian-root.sh" "$here/debian-tree.sh" -newer "$out/root.ext4")" ] || exit 0
# shellcheck source=guest-images/debian-tree.sh
. "$here/debian-tree.sh"

declare -A seen
# add_libraries PROGRAM: those that it needs, and theirs, and the loader.
add_libraries() {
    local name file
    while read -r name; do
        [ -z "${seen[$name]-}" ] || continue
        seen[$name]=1
        file=$(find "$tree" -name "$name" \( -type f -o -xtype f \) -print -quit)
        [ -n "$file" ] || fail "$1 needs $name, which none of the packages has"
        cp -L "$file" "$new/lib/"
        add_libraries "$file"
    done < <(readelf -dl "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p; s,.*program interpreter: .*/\(.*\)\],\1,p')
}

add_client() {
    local name
    mkdir -p "$new/bin" "$new/lib" "$new/libexec"
    for name in ssh ssh-keygen; do
        cp "$tree/usr/bin/$name" "$new/libexec/"
        add_libraries "$tree/usr/bin/$name"
        # The loader is named in the program by a path where the host has its own.
        cat > "$new/bin/$name" <<'END'
#!/bin/sh
here=$(cd "$(dirname "$0")/.." && pwd)
exec "$here/lib/ld-linux-aarch64.so.1" --argv0 "${0##*/}" --library-path "$here/lib" "$here/libexec/${0##*/}" "$@"
END
        chmod 755 "$new/bin/$name"
    done
}

configure_ssh() {
    mkdir -p "$tree/etc/ssh/sshd_config.d"
    cp "$tree/usr/share/openssh/sshd_config" "$tree/etc/ssh/"
    # It is not enabled: the one of systemd's generator is to be the only one.
    ssh-keygen -q -t ed25519 -N '' -C root@debian -f "$tree/etc/ssh/ssh_host_ed25519_key"
}

begin_debian
command -v ssh-keygen > /dev/null || fail "there is no ssh-keygen for the host key of Debian's root; install openssh-client"
unpack openssh-server
add_client
configure
mask serial-getty@ # nobody logs in on the console
configure_ssh
make_ext4 "$new/root.ext4"
finish_debian "$out"
