#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds what the measured guests consist of, beside the kernel that guest-images/fetch.sh has fetched:
#
#   build/bench/initrd          busybox, our init, drivers, and the programs that load disk, console, network card and sockets
#   build/bench/trips           see build-trips.sh
#   build/bench/ring            another, that waits for a device's interrupts: linked with the runtime of the bare-metal guests, by build.mk
#   build/bench/minimal-loop    the same
#   build/bench/timed           runs a command and tells its times
#   build/bench/net-load        the host's end of what loads network card and sockets
#   build/bench/firmware.img    a disk for firmware: an EFI system partition with the kernel where it looks
#
# Usage: build-guest.sh ROUNDS     ROUNDS: of each kind of round trip
set -eu
umask 022
PATH=$PATH:/usr/sbin:/sbin # sfdisk, where users of the machine have no such directories in theirs

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
# shellcheck source=guest-images/gpt.sh
. "$root/guest-images/gpt.sh"
build=$root/build
out=$build/bench
kernel=$build/kernels/6.12
if [ "$(uname -m)" = aarch64 ]; then cross=; else cross=aarch64-linux-gnu-; fi
flags="-std=gnu11 -O2 -Wall -Wextra -static -I$root"

mkdir -p "$out"
work=$(mktemp -d "$build/.bench.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# shellcheck disable=SC2086  # words
program() { ${cross}gcc $flags -o "$2" "$here/$1"; }

program timed.c "$out/timed"
program guest/net-load.c "$out/net-load"
"$here/build-trips.sh" "$out" "$1"

tree=$work/tree
mkdir -p "$tree/bin" "$tree/proc" "$tree/sys" "$tree/dev" "$tree/modules"
cp "$build/busybox/busybox" "$tree/bin/"
for applet in sh cat grep sed mount insmod dd stty tr echo sleep poweroff ip ping udhcpc; do
    ln -s busybox "$tree/bin/$applet"
done
program guest/block-load.c "$tree/bin/block-load"
program guest/flood.c "$tree/bin/flood"
cp "$out/net-load" "$tree/bin/net-load"
cp "$here/guest/init" "$tree/init"
cp "$here/guest/leased" "$tree/bin/leased"
chmod 755 "$tree/init" "$tree/bin/leased"
sed -n '/^\(virtio_blk\|virtio_net\|vmw_vsock_virtio_transport\):/p' "$kernel/modules/deps" > "$tree/modules/deps"
# shellcheck disable=SC2013  # words
for module in $(sed 's/.*://' "$tree/modules/deps"); do
    cp "$kernel/modules/$module.ko" "$tree/modules/"
done
find "$tree" -exec touch -h -d @0 {} +
(cd "$tree" && find . | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0 --reproducible) > "$work/initrd"
mv "$work/initrd" "$out/initrd"

# At the removable path, for UEFI and U-Boot: the kernel is an EFI program.
gpt "$work/firmware.img" 60 42454E43
mmd -i "$work/firmware.img@@1M" ::/EFI ::/EFI/BOOT
mcopy -i "$work/firmware.img@@1M" "$kernel/Image" ::/EFI/BOOT/BOOTAA64.EFI
mv "$work/firmware.img" "$out/firmware.img"
