#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Makes a disk with Debian 13 for arm64 as its installer leaves it on a machine with UEFI: a GPT, an EFI system
# partition with GRUB, and a root.
#
# Usage: debian-disk.sh OUT      (fetch.sh 6.12 firmware and build-initramfs.sh 6.12 come first)
#
#   OUT/debian.img    the disk; root's password is `eret`
#
# GRUB is Debian's, in the directory of the vendor's and as EFI/BOOT/BOOTAA64.EFI, where firmware looks that knows of no
# boot entry: the removable path. It finds the root by its UUID, and there its menu, Debian's kernel and an initramfs.
# Both are those of build/kernels/6.12/, with the same few modules: Debian's own tool makes an initramfs of what runs,
# and nothing for arm64 runs here. The console is the one that firmware tells the kernel of, where systemd starts a
# getty. efibootmgr(8) is there to write boot entries. The first network card gets its address by DHCP, root may log in by
# ssh, and the power button powers off. dmidecode(8), acpidump(1) and iasl(1) show by what it knows its machine.
#
# What is already there is left alone, unless something that goes into it is newer.
set -eu
umask 022

here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$here/.." && pwd)/build
[ $# = 1 ] || { echo "usage: debian-disk.sh OUT" >&2; exit 1; }
out=$1
kernel=$build/kernels/6.12
grub=$build/firmware/grubaa64.efi
for file in "$kernel/Image" "$kernel/initrd" "$grub"; do
    [ -f "$file" ] || { echo "debian-disk.sh: no $file; run guest-images/fetch.sh 6.12 firmware and build-initramfs.sh 6.12" >&2; exit 1; }
done
[ ! -e "$out/debian.img" ] || [ -n "$(find "$here/debian-disk.sh" "$here/debian-tree.sh" "$here/gpt.sh" "$kernel/initrd" "$kernel/version" "$grub" -newer "$out/debian.img")" ] || exit 0
# shellcheck source=guest-images/debian-tree.sh
. "$here/debian-tree.sh"
# shellcheck source=guest-images/gpt.sh
. "$here/gpt.sh"
release=$(cat "$kernel/version")
uuid=$(cat /proc/sys/kernel/random/uuid)
serial=$(printf '%04X-%04X' $((SRANDOM & 0xffff)) $((SRANDOM & 0xffff)))

# A password, and a machine that may be slow: what systemd and login(1) wait for is made for silicon.
configure_console() {
    local hash
    # shellcheck disable=SC2016  # crypt's dollars
    hash=$(perl -e 'print crypt("eret", q($6$eret$))')
    sed -i "s|^root:\*:|root:$hash:|" "$tree/etc/shadow"
    sed -i 's/^\(LOGIN_TIMEOUT\).*/\1 900/' "$tree/etc/login.defs"
    mkdir -p "$tree/etc/systemd/system.conf.d"
    printf '[Manager]\nDefaultTimeoutStartSec=900\n' > "$tree/etc/systemd/system.conf.d/patience.conf"
    mkdir -p "$tree/boot/efi"
    printf '%s\n' "UUID=$uuid / ext4 errors=remount-ro 0 0" "UUID=$serial /boot/efi vfat umask=0077 0 0" > "$tree/etc/fstab"
}

# enable UNIT: as its package's installation would.
enable() {
    mkdir -p "$tree/etc/systemd/system/multi-user.target.wants"
    ln -s "/usr/lib/systemd/system/$1.service" "$tree/etc/systemd/system/multi-user.target.wants/"
}

configure_network() {
    configure_ssh
    echo 'PermitRootLogin yes' > "$tree/etc/ssh/sshd_config.d/root.conf"
    mkdir -p "$tree/etc/systemd/network"
    printf '[Match]\nType=ether\n[Network]\nDHCP=yes\n' > "$tree/etc/systemd/network/wired.network"
    enable ssh
    enable systemd-networkd
}

add_kernel() {
    mkdir -p "$tree/boot/grub" "$tree/usr/lib/modules"
    cp "$kernel/Image" "$tree/boot/vmlinuz-$release"
    cp "$kernel/initrd" "$tree/boot/initrd.img-$release"
    cp -r "$kernel/lib/modules/$release" "$tree/usr/lib/modules/"
    cat > "$tree/boot/grub/grub.cfg" <<END
set default=0
set timeout=1
menuentry 'Debian GNU/Linux' {
    search --no-floppy --fs-uuid --set=root $uuid
    linux /boot/vmlinuz-$release root=UUID=$uuid systemd.service_watchdogs=no quiet
    initrd /boot/initrd.img-$release
}
END
}

# What GRUB reads first, beside it, where grub-install has it.
add_boot_loader() {
    local esp=$1 file
    cat > "$work/grub.cfg" <<END
search.fs_uuid $uuid root
set prefix=(\$root)'/boot/grub'
configfile \$prefix/grub.cfg
END
    mmd -i "$esp" ::/EFI ::/EFI/BOOT ::/EFI/debian
    for file in BOOT/BOOTAA64.EFI debian/grubaa64.efi; do
        mcopy -i "$esp" "$grub" "::/EFI/$file"
    done
    mcopy -i "$esp" "$work/grub.cfg" ::/EFI/debian/
}

# make_disk ROOT IMAGE
make_disk() {
    local esp_mib=40
    gpt "$2" "$esp_mib" "${serial/-/}" $(($(stat -c %s "$1") >> 20))
    add_boot_loader "$2@@1M"
    dd if="$1" of="$2" bs=1M seek=$((1 + esp_mib)) conv=notrunc,sparse status=none
}

begin_debian 13 trixie
unpack util-linux kmod efibootmgr openssh-server dbus iproute2 dmidecode acpica-tools
configure
configure_console
configure_network
add_kernel
make_ext4 "$work/root.ext4" -U "$uuid"
make_disk "$work/root.ext4" "$new/debian.img"
finish_debian "$out"
