#!/bin/sh
# Fetches what runs inside the guests and inside the emulated host: Debian's arm64 kernels and a static busybox.
#
# Usage: fetch.sh KERNEL...      KERNEL: 6.12  6.1  7.3  7.3-16k
#
# The packages come through a private apt configuration under build/apt, so the machine's own package selection is left alone and
# no root is needed. They are unpacked, never installed:
#
#   build/kernels/KERNEL/Image      the kernel, a raw arm64 Image
#   build/kernels/KERNEL/config     its configuration
#   build/kernels/KERNEL/version    its release, as uname -r prints it
#   build/kernels/KERNEL/modules/   the few modules we load, uncompressed, and `deps`: "NAME: modules in the order to load them"
#   build/busybox/busybox           static arm64 busybox
#   build/cache/                    the packages themselves
#
# What is already there is left alone: a second call needs no network. An interrupted call leaves nothing half-made.
set -eu
umask 022

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/.." && pwd)
build=$root/build
# shellcheck source=guest-images/debian.sh
. "$here/debian.sh"

modules="virtio_pci virtio_mmio virtio_console virtio_blk virtio_net virtio_rng vmw_vsock_virtio_transport tun loop vhost_net vhost_vsock ext4"

fail() { echo "fetch.sh: $*" >&2; exit 1; }
say() { echo "$*" >&2; }

# --- the private apt ---------------------------------------------------------------------------------------------------------

private_apt() { APT_CONFIG=$build/apt/apt.conf "$@"; }

prepare_apt() {
    [ -z "${apt_ready-}" ] || return 0
    command -v apt-get >/dev/null || fail "kernels come as Debian packages, and there is no apt-get here; put Image, config, version
and modules/ into build/kernels/KERNEL/ and a static arm64 busybox into build/busybox/ by hand"
    mkdir -p "$build/apt/state/lists/partial" "$build/apt/cache/archives/partial" "$build/apt/sources"
    : > "$build/apt/state/status"
    debian_sources bookworm bookworm-backports trixie-backports > "$build/apt/sources/debian.sources" ||
        fail "no apt source for Debian found under /etc/apt"
    cat > "$build/apt/apt.conf" <<EOF
Dir::State "$build/apt/state";
Dir::State::status "$build/apt/state/status";
Dir::Cache "$build/apt/cache";
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "$build/apt/sources";
Dir::Etc::preferencesparts "/dev/null";
APT::Architecture "arm64";
APT::Architectures { "arm64"; };
APT::Sandbox::User "$(id -un)";
Acquire::Languages "none";
Acquire::Retries "3";
EOF
    if [ -z "$(find "$build/apt/updated" -mmin -60 2>/dev/null)" ]; then
        say "reading Debian's package lists"
        # A suite that has gone away must not stop us from using the others: what is missing is noticed when it is looked for.
        private_apt apt-get -qq update > "$build/apt/update.log" 2>&1 || true
        touch "$build/apt/updated"
    fi
    apt_ready=1
}

# newest REGEX: the newest package whose name matches, by version of the name.
newest() {
    private_apt apt-cache pkgnames | grep -E "^($1)\$" | sort -V | tail -n 1
}

# download PACKAGE DIR: puts the package's contents below DIR.
download() {
    if [ ! -e "$build/cache/$1.deb" ]; then
        say "downloading $1"
        mkdir -p "$build/cache" "$work/deb"
        if [ -t 2 ]; then quiet=-q=0; else quiet=-qq; fi
        (cd "$work/deb" && private_apt apt-get $quiet download "$1:arm64") >&2 || {
            cat "$build/apt/update.log" >&2
            fail "cannot download $1"
        }
        mv "$work/deb"/*.deb "$build/cache/$1.deb"
    fi
    mkdir -p "$2"
    dpkg-deb -x "$build/cache/$1.deb" "$2"
}

# --- modules -----------------------------------------------------------------------------------------------------------------

decompress() {
    case $1 in
    *.xz) xz -dc "$1" ;;
    *.zst) zstd -dcq "$1" ;;
    *.gz) gzip -dc "$1" ;;
    *) cat "$1" ;;
    esac
}

# add_module TREE NAME OUT: copies a module and what it depends on, and sets `order` to the names in the order of loading.
add_module() {
    case " $order " in *" $2 "*) return 0 ;; esac
    # A module's file may be spelt with - where its name has _.
    pattern=$(printf %s "$2" | sed 's/[-_]/[-_]/g')
    file=$(find "$1" -name "$pattern.ko*" | head -n 1)
    [ -n "$file" ] || return 0  # built in, or absent from this kernel
    decompress "$file" > "$3/$2.ko"
    for dependency in $(tr '\0' '\n' < "$3/$2.ko" | sed -n 's/^depends=//p' | tr ',-' ' _'); do
        add_module "$1" "$dependency" "$3"
    done
    order="$order $2"
}

collect_modules() {
    mkdir -p "$2"
    : > "$2/deps"
    for name in $modules; do
        order=
        add_module "$1" "$name" "$2"
        [ -z "$order" ] || echo "$name:$order" >> "$2/deps"
    done
}

# --- the two kinds of things fetched -------------------------------------------------------------------------------------------

fetch_kernel() {
    case $1 in
    6.12 | 6.1 | 7.3) flavour=cloud-arm64 ;;
    7.3-16k) flavour=arm64-16k ;;
    *) fail "unknown kernel $1; known: 6.12 6.1 7.3 7.3-16k" ;;
    esac
    [ ! -e "$build/kernels/$1/Image" ] || return 0
    prepare_apt
    series=$(printf %s "${1%-16k}" | sed 's/\./\\./g')
    # From 7.1 on Debian's linux-image is an empty package: the kernel is in linux-binary, its modules in linux-modules.
    image=$(newest "linux-(image|binary)-$series\.[0-9.]+([-+][a-z0-9.]+)?-$flavour-unsigned")
    [ -n "$image" ] || image=$(newest "linux-binary-$series\.[0-9.]+([-+][a-z0-9.]+)?-$flavour")
    [ -n "$image" ] || fail "Debian has no kernel $1 for arm64 any more (looked in bookworm, bookworm-backports, trixie-backports)"
    release=${image#linux-*-}
    release=${release%-unsigned}
    download "$image" "$work/tree"
    case $image in
    linux-binary-*)
        download "linux-modules-$release" "$work/tree"
        download "linux-base-$release" "$work/tree"
        ;;
    esac
    new=$work/new
    mkdir "$new"
    for file in "$work/tree/boot/vmlinuz-$release" "$work/tree/usr/lib/modules/$release/vmlinuz"; do
        [ ! -f "$file" ] || mv "$file" "$new/Image"
    done
    for file in "$work/tree/boot/config-$release" "$work/tree/usr/lib/modules/$release/config"; do
        [ ! -f "$file" ] || mv "$file" "$new/config"
    done
    [ -f "$new/Image" ] || fail "no kernel in $image"
    [ -f "$new/config" ] || fail "no configuration in $image"
    echo "$release" > "$new/version"
    collect_modules "$work/tree" "$new/modules"
    mkdir -p "$build/kernels"
    rm -rf "$build/kernels/$1"
    mv "$new" "$build/kernels/$1"
    rm -rf "$work/tree"
}

fetch_busybox() {
    [ ! -e "$build/busybox/busybox" ] || return 0
    prepare_apt
    download busybox-static "$work/busybox"
    mkdir "$work/new"
    for file in "$work/busybox/bin/busybox" "$work/busybox/usr/bin/busybox"; do
        [ ! -f "$file" ] || mv "$file" "$work/new/busybox"
    done
    rm -rf "$build/busybox"
    mv "$work/new" "$build/busybox"
}

# -----------------------------------------------------------------------------------------------------------------------------

all_there() {
    for kernel; do
        [ -e "$build/kernels/$kernel/Image" ] || return 1
    done
    [ -e "$build/busybox/busybox" ]
}

[ $# -gt 0 ] || fail "usage: fetch.sh KERNEL...   (6.12 6.1 7.3 7.3-16k)"
if all_there "$@"; then exit 0; fi

mkdir -p "$build"
exec 9> "$build/.fetch.lock"
flock 9
work=$(mktemp -d "$build/.fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

fetch_busybox
for kernel; do
    fetch_kernel "$kernel"
done
