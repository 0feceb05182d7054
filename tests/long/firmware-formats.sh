#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# UEFI boots from a qcow2 image with another behind it, by GRUB, a kernel on a disk that is copy-on-write; and what is
# behind stays as it is.
# limit: 1200
# shellcheck source=tests/host/lib.sh
. "$LIB"
PATH=$FIXTURES/debian-13/bin:$PATH

cp "$FIXTURES/grub.img" base.img
qemu-img create -f qcow2 -b base.img -F raw grub.qcow2 > /dev/null || exit
qemu-img convert -f raw -O qcow2 "$FIXTURES/boot.img" boot.qcow2 || exit
sums=$(cat base.img boot.qcow2 | sha256sum)
case $KIND in
*nested*) set -- --nested ;;
*) set -- ;;
esac
start_eret --firmware "$FIRMWARE/trixie/AAVMF_CODE.fd" --power-button none --disk grub.qcow2,format=qcow2,backing=base.img --disk boot.qcow2,format=qcow2,cow "$@"
wait_console 'GUEST written=kept' $((2 * patience))
like "$console" 'GUEST efi=yes' "UEFI boots GRUB from a qcow2 image, which boots the kernel from another"
finish_eret "$patience"
is "$status" 0 "it powers off, status 0"
is "$(cat base.img boot.qcow2 | sha256sum)" "$sums" "what is behind the one, and the other, are as they were"
