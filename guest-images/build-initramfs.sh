#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the guest's initramfs for one kernel: busybox, our init with its tests, and the kernel's few modules. Uncompressed newc.
#
# Usage: build-initramfs.sh KERNEL [OUT]     (OUT: build/kernels/KERNEL/initrd; fetch.sh KERNEL comes first)
#
# Does nothing when OUT is newer than all that goes into it.
set -eu
umask 022

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/.." && pwd)
build=$root/build

[ $# -ge 1 ] || { echo "usage: build-initramfs.sh KERNEL [OUT]" >&2; exit 1; }
kernel=$build/kernels/$1
out=${2:-$kernel/initrd}
[ -f "$kernel/Image" ] || { echo "build-initramfs.sh: no $kernel; run guest-images/fetch.sh $1" >&2; exit 1; }

if [ -f "$out" ] && [ -z "$(find "$here/initramfs" "$here/applets" "$here/eret-guest.c" "$here/eret-hypercall.h" "$here/vsock" "$0" "$kernel/modules" "$build/busybox/busybox" -newer "$out" | head -n 1)" ]; then
    exit 0
fi

work=$(mktemp -d "$build/.initramfs.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

tree=$work/tree
mkdir -p "$tree/bin" "$tree/etc" "$tree/proc" "$tree/sys" "$tree/dev" "$tree/run" "$tree/tmp" "$tree/mnt"
cp "$build/busybox/busybox" "$tree/bin/"
while read -r applet; do
    ln -s busybox "$tree/bin/$applet"
done < "$here/applets"
cp "$here/initramfs/init" "$tree/init"
for program in cards dhcp leave report warnings; do
    install -m 755 "$here/initramfs/$program" "$tree/bin/"
done
cp "$here/initramfs/shrc" "$tree/etc/"
cp -r "$here/initramfs/tests" "$tree/tests"
chmod 755 "$tree/init" "$tree/tests"/*
cp -r "$kernel/modules" "$tree/modules"
rm -f "$tree/modules"/vhost* "$tree/modules/tun.ko" "$tree/modules/tap.ko" "$tree/modules/loop.ko" "$tree/modules"/bridge.ko "$tree/modules/stp.ko" "$tree/modules/llc.ko"

if [ "$(uname -m)" = aarch64 ]; then cc=gcc; else cc=aarch64-linux-gnu-gcc; fi
$cc -std=gnu11 -Os -Wall -Wextra -static -s -o "$tree/bin/power-button" "$here/initramfs/power-button.c"
$cc -std=gnu11 -Os -Wall -Wextra -static -s -o "$tree/bin/eret-guest" "$here/eret-guest.c"
$cc -std=gnu11 -Os -Wall -Wextra -static -s -o "$tree/bin/vsock-stream" "$here/vsock/vsock-stream.c"

# The order, the owner and the times are fixed, so the same input makes the same archive.
find "$tree" -exec touch -h -d @0 {} +
(cd "$tree" && find . | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0 --reproducible) > "$work/initrd"
mkdir -p "$(dirname "$out")"
mv "$work/initrd" "$out"
