#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Makes a disk with Debian 13 for arm64 as its installer leaves it on a machine with UEFI: a GPT, an EFI system
# partition with GRUB, and a root.
#
# Usage: debian-disk.sh OUT      (fetch.sh 6.12 firmware and build-initramfs.sh 6.12 come first)
#
#   OUT/debian.img    the disk; root's password is `eret`
#
# How it boots, debian-boot.sh says. efibootmgr(8) is there to write boot entries. The first network card gets its address
# by DHCP, root may log in by ssh, and the power button powers off. dmidecode(8), acpidump(1) and iasl(1) show by what it
# knows its machine.
#
# What is already there is left alone, unless something that goes into it is newer.
set -eu
umask 022

here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$here/.." && pwd)/build
[ $# = 1 ] || { echo "usage: debian-disk.sh OUT" >&2; exit 1; }
out=$1
kernel=$build/kernels/6.12
[ ! -e "$out/debian.img" ] || [ -n "$(find "$here/debian-disk.sh" "$here/debian-tree.sh" "$here/debian-boot.sh" "$here/gpt.sh" "$kernel/initrd" "$kernel/version" -newer "$out/debian.img")" ] || exit 0
# shellcheck source=guest-images/debian-tree.sh
. "$here/debian-tree.sh"
# shellcheck source=guest-images/debian-boot.sh
. "$here/debian-boot.sh"

configure_console() {
    local hash
    # shellcheck disable=SC2016  # crypt's dollars
    hash=$(perl -e 'print crypt("eret", q($6$eret$))')
    sed -i "s|^root:\*:|root:$hash:|" "$tree/etc/shadow"
}

configure_network() {
    configure_ssh
    echo 'PermitRootLogin yes' > "$tree/etc/ssh/sshd_config.d/root.conf"
    mkdir -p "$tree/etc/systemd/network"
    printf '[Match]\nType=ether\n[Network]\nDHCP=yes\n' > "$tree/etc/systemd/network/wired.network"
    enable ssh.service systemd-networkd.service
}

begin_debian 13 trixie
unpack util-linux kmod efibootmgr openssh-server dbus iproute2 dmidecode acpica-tools
configure
configure_boot
configure_console
configure_network
add_kernel
make_disk "$new/debian.img"
finish_debian "$out"
