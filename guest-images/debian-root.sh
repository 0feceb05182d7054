#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Makes a root file system of Debian 13's for arm64 with systemd, udev and sshd, and OpenSSH's programs for an emulated host:
#
# Usage: debian-root.sh OUT
#
#   OUT/root.ext4         the root: no password, no key of anybody's, no network
#   OUT/bin/ssh, ssh-keygen    start OpenSSH's, with OUT/libexec/ and OUT/lib/, as the host's libraries may be older
#   build/debian-13/      apt's lists for that suite, and the packages
#
# What is already there is left alone, unless this script is newer. The packages are those that apt would install. Their maintainer scripts are
# programs for arm64, so what these would have done and is needed here is done below: users, PAM's files, host keys. systemd does the rest when
# it boots.
set -eu
umask 022
PATH=$PATH:/usr/sbin:/sbin

here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$here/.." && pwd)/build
[ $# = 1 ] || { echo "usage: debian-root.sh OUT" >&2; exit 1; }
out=$1
[ ! -e "$out/root.ext4" ] || [ "$here/debian-root.sh" -nt "$out/root.ext4" ] || exit 0

mkdir -p "$build"
exec 9> "$build/.fetch.lock"
flock 9
work=$(mktemp -d "$build/.debian-root.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
# shellcheck source=guest-images/private-apt.sh
. "$here/private-apt.sh"
use_suites debian-13 trixie trixie-updates
tree=$work/tree
new=$work/new

# What is installed beside them where nothing is there yet; what is essential is no dependency of anything.
wanted() {
    private_apt apt-get -s -q --no-install-recommends install systemd-sysv udev libkmod2 openssh-server dash bash coreutils login passwd mount |
        sed -n 's/^Inst \([^ ]*\) .*/\1/p'
}

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

# Nobody reads here.
trim() {
    rm -rf "$tree"/usr/share/{doc,man,info,locale,lintian,bug,bash-completion,zsh,perl5,common-licenses} "$tree/usr/lib/udev/hwdb.d" \
        "$tree/usr/lib/aarch64-linux-gnu/gconv" "$tree/usr/lib/aarch64-linux-gnu/perl-base"
}

configure() {
    local etc=$tree/etc unit part
    cp "$tree/usr/share/base-passwd/passwd.master" "$etc/passwd"
    cp "$tree/usr/share/base-passwd/group.master" "$etc/group"
    sed 's/^\([^:]*\):.*/\1:*:20000:0:99999:7:::/' "$etc/passwd" > "$etc/shadow"
    chmod 640 "$etc/shadow"
    sed -i 's/^\([^:]*\):\*:/\1:x:/' "$etc/passwd"
    # Systems that have booted before have an ID; what a first boot of another kind would build is not needed.
    tr -d - < /proc/sys/kernel/random/uuid > "$etc/machine-id"
    echo debian > "$etc/hostname"
    # Nor are consoles: there is no logind.
    for unit in systemd-hwdb-update ldconfig systemd-journal-catalog-update systemd-firstboot systemd-logind getty-static serial-getty@; do
        ln -s /dev/null "$etc/systemd/system/$unit.service"
    done
    for part in auth account session password; do
        echo "$part required pam_unix.so" > "$etc/pam.d/common-$part"
        cp "$etc/pam.d/common-$part" "$etc/pam.d/common-$part-noninteractive"
    done
    mkdir -p "$etc/ssh/sshd_config.d" "$tree/var/log" "$tree/root"
    chmod 700 "$tree/root"
    cp "$tree/usr/share/openssh/sshd_config" "$etc/ssh/"
    # It is not enabled: the one of systemd's generator is to be the only one.
    ssh-keygen -q -t ed25519 -N '' -C root@debian -f "$etc/ssh/ssh_host_ed25519_key"
}

make_image() {
    local mib
    mib=$(($(du -sm --apparent-size "$tree" | cut -f1) * 12 / 10 + 48))
    truncate -s "${mib}M" "$new/root.ext4"
    mke2fs -q -F -t ext4 -m 0 -E root_owner=0:0 -d "$tree" "$new/root.ext4"
    # What was unpacked by somebody else than root is root's all the same.
    [ "$(id -u)" = 0 ] || (cd "$tree" && find . -printf 'sif "/%P" uid 0\nsif "/%P" gid 0\n') | debugfs -w -f - "$new/root.ext4" > /dev/null 2>&1
}

command -v ssh-keygen > /dev/null || fail "there is no ssh-keygen for the host key of Debian's root; install openssh-client"
prepare_apt
for package in $(wanted); do
    download "$package" "$tree"
done
add_client
trim
configure
make_image
rm -rf "$out"
mv "$new" "$out"
