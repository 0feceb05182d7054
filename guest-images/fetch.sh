#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Fetches what runs inside the guests and inside the emulated host: Debian's arm64 kernels and a static busybox, and another hypervisor.
#
# Usage: fetch.sh KERNEL...      KERNEL: 6.12  6.1  7.3  7.3-16k, or xen, or passt, or firmware, or busybox: that alone
#
#   build/xen/Image                 Xen, a raw arm64 Image
#   build/kernels/KERNEL/Image      the kernel, a raw arm64 Image
#   build/kernels/KERNEL/config     its configuration
#   build/kernels/KERNEL/version    its release, as uname -r prints it
#   build/kernels/KERNEL/modules/   the few modules we load, uncompressed, and `deps`: "NAME: modules in the order to load them"
#   build/kernels/KERNEL/lib/modules/RELEASE/   some more, as the package has them, with what depmod(8) writes: for `eret exec --modules`
#   build/busybox/busybox           static arm64 busybox
#   build/passt/passt               passt for arm64, which needs libc
#   build/firmware/SUITE/           AAVMF_CODE.fd, AAVMF_VARS.fd and u-boot.bin of two releases of Debian's: bookworm, trixie
#   build/firmware/grubaa64.efi     GRUB, of the first
#   build/cache/                    the packages themselves
#
# What is already there is left alone: a second call needs no network. An interrupted call leaves nothing half-made.
set -eu
umask 022

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/.." && pwd)
build=$root/build
# shellcheck source=guest-images/private-apt.sh
. "$here/private-apt.sh"

modules="virtio_pci virtio_mmio virtio_console virtio_blk virtio_net virtio_rng vmw_vsock_virtio_transport tun bridge loop vhost_net vhost_vsock ext4 gpio_keys virtio_input evdev efivarfs sp805_wdt"

tree_modules="$modules overlay squashfs erofs vsock_loopback dummy veth qemu_fw_cfg autofs4 vfat nls_cp437 nls_ascii efi_pstore"

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

# copy_tree TREE RELEASE OUT: the modules of `tree_modules` and what they depend on, where and how the package has them. A module of ours is only unpacked to
# see what it depends on.
copy_tree() {
    source=$(find "$1" -type d -path "*/lib/modules/$2" | head -n 1)
    target=$3/lib/modules/$2
    mkdir -p "$work/unpacked" "$target"
    order=
    for name in $tree_modules; do
        add_module "$source" "$name" "$work/unpacked"
    done
    for name in $order; do
        file=$(find "$source" -name "$(printf %s "$name" | sed 's/[-_]/[-_]/g').ko*" -printf '%P\n' | head -n 1)
        mkdir -p "$target/$(dirname "$file")"
        cp "$source/$file" "$target/$file"
    done
    cp "$source"/modules.builtin* "$source/modules.order" "$target/"
    PATH=$PATH:/usr/sbin:/sbin depmod -b "$3" "$2" || fail "depmod failed for kernel $2"
    rm -rf "$work/unpacked"
}

# Whether KERNEL is there, with all that is wanted of it today.
kernel_is_there() {
    [ -e "$build/kernels/$1/lib" ] && [ "$(cat "$build/kernels/$1/wanted" 2>/dev/null)" = "$tree_modules" ]
}

# The package that KERNEL came from, where it is there and its packages still are: for more modules of the same kernel,
# without the network.
cached_image() {
    release=$(cat "$build/kernels/$1/version" 2>/dev/null) || return 0
    for image in "linux-image-$release-unsigned" "linux-binary-$release-unsigned" "linux-binary-$release"; do
        [ -f "$build/cache/$image.deb" ] || continue
        case $image in
        linux-binary-*) [ -f "$build/cache/linux-modules-$release.deb" ] || continue ;;
        esac
        echo "$image"
        return 0
    done
}

# --- the two kinds of things fetched -------------------------------------------------------------------------------------------

fetch_kernel() {
    case $1 in
    busybox) return 0 ;;
    6.12 | 6.1 | 7.3) flavour=cloud-arm64 ;;
    7.3-16k) flavour=arm64-16k ;;
    *) fail "unknown kernel $1; known: 6.12 6.1 7.3 7.3-16k" ;;
    esac
    ! kernel_is_there "$1" || return 0
    image=$(cached_image "$1")
    [ -n "$image" ] || prepare_apt
    series=$(printf %s "${1%-16k}" | sed 's/\./\\./g')
    # From 7.1 on Debian's linux-image is an empty package: the kernel is in linux-binary, its modules in linux-modules.
    [ -n "$image" ] || image=$(newest "linux-(image|binary)-$series\.[0-9.]+([-+][a-z0-9.]+)?-$flavour-unsigned")
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
    copy_tree "$work/tree" "$release" "$new"
    echo "$tree_modules" > "$new/wanted"
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

fetch_xen() {
    [ ! -e "$build/xen/Image" ] || return 0
    prepare_apt
    package=$(newest 'xen-hypervisor-4\.[0-9]+-arm64')
    [ -n "$package" ] || fail "Debian has no Xen for arm64 any more (looked in bookworm, bookworm-backports, trixie-backports)"
    download "$package" "$work/xen"
    file=$(find "$work/xen/boot" -name 'xen-*-arm64')
    mkdir -p "$build/xen"
    if gzip -t "$file" 2>/dev/null; then gzip -dc < "$file" > "$work/Image"; else mv "$file" "$work/Image"; fi
    mv "$work/Image" "$build/xen/Image"
}

fetch_passt() {
    [ ! -e "$build/passt/passt" ] || return 0
    prepare_apt
    download passt "$work/passt"
    mkdir "$work/new-passt"
    mv "$work/passt/usr/bin/passt" "$work/new-passt/"
    rm -rf "$build/passt"
    mv "$work/new-passt" "$build/passt"
}

# What is padded to the size of a flash takes no room for it.
fetch_firmware_of() {
    prepare_apt
    download qemu-efi-aarch64 "$work/firmware"
    download u-boot-qemu "$work/firmware"
    mkdir -p "$work/new-firmware/$1"
    cp --sparse=always "$work/firmware/usr/share/AAVMF/AAVMF_CODE.fd" "$work/firmware/usr/share/AAVMF/AAVMF_VARS.fd" \
        "$work/firmware/usr/lib/u-boot/qemu_arm64/u-boot.bin" \
        "$work/new-firmware/$1/"
    rm -rf "$work/firmware"
}

# Last: the packages are other suites' afterwards.
fetch_firmware() {
    [ ! -e "$build/firmware" ] || return 0
    fetch_firmware_of bookworm
    download grub-efi-arm64-bin "$work/grub"
    mv "$work/grub/usr/lib/grub/arm64-efi/monolithic/grubaa64.efi" "$work/new-firmware/"
    use_suites debian-13 trixie trixie-updates
    fetch_firmware_of trixie
    mv "$work/new-firmware" "$build/firmware"
}

# -----------------------------------------------------------------------------------------------------------------------------

all_there() {
    for kernel; do
        case $kernel in
        busybox) ;;
        xen) [ -e "$build/xen/Image" ] || return 1 ;;
        passt) [ -e "$build/passt/passt" ] || return 1 ;;
        firmware) [ -e "$build/firmware" ] || return 1 ;;
        *) kernel_is_there "$kernel" || return 1 ;;
        esac
    done
    [ -e "$build/busybox/busybox" ]
}

[ $# -gt 0 ] || fail "usage: fetch.sh KERNEL...   (6.12 6.1 7.3 7.3-16k, xen, passt, firmware)"
if all_there "$@"; then exit 0; fi

take_turn fetch

fetch_busybox
firmware=
for kernel; do
    case $kernel in
    xen) fetch_xen ;;
    passt) fetch_passt ;;
    firmware) firmware=1 ;;
    *) fetch_kernel "$kernel" ;;
    esac
done
[ -z "$firmware" ] || fetch_firmware
