#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Makes a disk with Debian for arm64 as Debian's cloud images have it: cloud-init, netplan and systemd-networkd, sshd, the
# user `debian` who is there once cloud-init makes him, and nobody who could log in before that.
#
# Usage: debian-cloud.sh OUT RELEASE     RELEASE: 12 or 13
#        (fetch.sh KERNEL firmware and build-initramfs.sh KERNEL come first; KERNEL: 6.1 for 12, 6.12 for 13)
#
#   OUT/cloud.img     the disk, raw and sparse, of some 350 MiB
#
# How it boots, debian-boot.sh says. There is no apt in it, and no locales: what cloud-init would do with these is off.
#
# What is already there is left alone, unless something that goes into it is newer.
set -eu
umask 022

here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$here/.." && pwd)/build
usage() { echo "usage: debian-cloud.sh OUT 12|13" >&2; exit 1; }
[ $# = 2 ] || usage
out=$1
case $2 in
12) suite=bookworm kernel=$build/kernels/6.1 ;;
13) suite=trixie kernel=$build/kernels/6.12 ;;
*) usage ;;
esac
[ ! -e "$out/cloud.img" ] || [ -n "$(find "$here/debian-cloud.sh" "$here/debian-tree.sh" "$here/debian-boot.sh" "$here/gpt.sh" "$kernel/initrd" "$kernel/version" -newer "$out/cloud.img")" ] || exit 0
# shellcheck source=guest-images/debian-tree.sh
. "$here/debian-tree.sh"
# shellcheck source=guest-images/debian-boot.sh
. "$here/debian-boot.sh"

# Its package's installation asks which sources there may be, and turns on what there is of these units.
configure_cloud_init() {
    local unit
    cat > "$tree/etc/cloud/cloud.cfg.d/90_dpkg.cfg" <<'END'
datasource_list: [ NoCloud, ConfigDrive, Ec2, OpenStack, None ]
END
    cat > "$tree/etc/cloud/cloud.cfg.d/95_small.cfg" <<'END'
locale: false
apt: {preserve_sources_list: true}
grub_dpkg: {enabled: false}
resize_rootfs: false
growpart: {mode: 'off'}
END
    # What other packages' installation makes, and cloud-init wants.
    mkdir -p "$tree/etc/ssl/certs"
    find "$tree/usr/share/ca-certificates" -name '*.crt' -exec cat {} + > "$tree/etc/ssl/certs/ca-certificates.crt"
    [ -e "$tree/usr/bin/nc" ] || [ ! -e "$tree/usr/bin/nc.openbsd" ] || ln -s nc.openbsd "$tree/usr/bin/nc"
    # Python finds libraries by the loader's cache, which their packages' installation makes.
    mkdir "$tree/etc/systemd/system/cloud-init-local.service.d"
    printf '[Service]\nExecStartPre=/usr/sbin/ldconfig\n' > "$tree/etc/systemd/system/cloud-init-local.service.d/libraries.conf"
    for unit in cloud-init-main.service cloud-init-local.service cloud-init.service cloud-init-network.service cloud-config.service \
        cloud-final.service; do
        [ -z "$(find "$tree" -path "*/systemd/system/$unit")" ] || enable "$unit"
    done
}

# Whom their packages' installation makes, where systemd is not told to.
add_users() {
    local user dir=$tree/usr/lib/sysusers.d
    for user in sshd messagebus; do
        cat "$dir"/* | grep -q "^u!* *$user " || printf 'u %s - "-" /nonexistent /usr/sbin/nologin\n' "$user" > "$dir/cloud-$user.conf"
    done
}

begin_debian "$2" "$suite"
merge_usr
unpack util-linux kmod openssh-server dbus iproute2 hostname bsdutils cloud-init netplan.io sudo procps
configure
configure_boot
configure_ssh
rm "$tree"/etc/ssh/ssh_host_*
enable ssh.service systemd-networkd.service
configure_cloud_init
add_users
add_kernel
make_disk "$new/cloud.img"
finish_debian "$out"
