#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Makes the files that the tests of guests need, in build/fixtures/:
#
#   Image.gz vmlinuz.efi   Debian's kernel, packed: gzip, and EFI zboot with a zstd payload
#   ext4.img               a file system of 32 MiB with a file `hello`
#   root.ext4              a root file system: busybox, as /bin/sh and more
#   merged.tar, merged.ext4
#                          a root whose /bin and /lib are links, as in Debian
#   oops.ko                a module for the kernel that does not survive being loaded: Debian's dummy.ko, whose first
#                          own act is a store to address 0
#   without            runs a command on a kernel that has not all: tests/host/without.c
#   with-tap           runs a command with queues of a tap open: tests/host/with-tap.c
#   fake-ssh           what ssh does with its ProxyCommand: tests/host/fake-ssh.c
#   udp                sends a datagram, or sends all back: tests/host/udp.c
#   passt              Debian's, for an emulated host
#   boot.img           a disk for firmware, where it is fetched: a GPT with an EFI system partition, which has the kernel
#                      and its initramfs, startup.nsh for UEFI's shell, and extlinux.conf for U-Boot
#   grub.img           another, with GRUB at the removable path, which boots what is on the first
#   one.img two.img    two more; GRUB says which of them it is on, and powers off
#   trips minimal-loop     round trips, and the least that makes them: tests/bench/build-trips.sh
#
# What is already there, and newer than its source, is left alone.
#
# Why they are made here. The tests run in an emulated host, which has busybox and no tools, and where each instruction
# costs a hundred; so what can be made outside is. run-tests.sh calls this before it boots the host (after
# guest-images/fetch.sh, whose kernel and programs it takes) and shares build/fixtures/ with it; a test finds them in
# $FIXTURES.
#
# State is build/fixtures/ alone. Each file is made in a temporary directory in build/ and moved to its place when it is
# whole, so a run that was ended leaves no half of one. A file is stale when this script or the kernel is newer: who
# changes a recipe need not clean up, and who changes anything here has all of them made again.
#
# When one is wrong: remove it from build/fixtures/, and run this script alone. A new kernel of Debian's may have
# another dummy.ko; then the recipe of oops.ko says so, and does not make a module that does something else.
set -eu
umask 022
PATH=$PATH:/usr/sbin:/sbin  # mke2fs, where users of the machine have no such directories in theirs
root=$(cd "$(dirname "$0")/../.." && pwd)
build=$root/build
# shellcheck source=guest-images/gpt.sh
. "$root/guest-images/gpt.sh"
image=$build/kernels/6.12/Image
out=$build/fixtures

mkdir -p "$out"
work=$(mktemp -d "$build/.fixtures.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

stale() { [ ! -e "$out/$1" ] || [ -n "$(find "$0" "$image" -newer "$out/$1")" ]; }

# le32 NUMBER: as four bytes for printf
le32() { printf '\\%03o\\%03o\\%03o\\%03o' $(($1 & 255)) $(($1 >> 8 & 255)) $(($1 >> 16 & 255)) $(($1 >> 24 & 255)); }

# The header's 64 bytes, as in Linux, drivers/firmware/efi/libstub/zboot-header.S; the PE header it points to is left
# out.
zboot() {
    zstd -q -3 -T0 -c "$image" > "$work/payload"
    {
        # shellcheck disable=SC2059  # the format is the bytes
        printf "MZ\\0\\0zimg$(le32 64)$(le32 "$(stat -c %s "$work/payload")")\\0\\0\\0\\0\\0\\0\\0\\0"
        printf 'zstd22\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0'
        printf '\315\043\202\201\0\0\0\0'
        cat "$work/payload"
    } > "$work/vmlinuz.efi"
}

if stale Image.gz; then
    gzip -1 -n -c "$image" > "$work/Image.gz"
    mv "$work/Image.gz" "$out/"
fi
if stale vmlinuz.efi; then
    zboot
    mv "$work/vmlinuz.efi" "$out/"
fi
if stale ext4.img; then
    mkdir "$work/tree"
    echo "hello from the host" > "$work/tree/hello"
    truncate -s 32M "$work/ext4.img"
    mke2fs -q -F -t ext4 -E root_owner=0:0 -d "$work/tree" "$work/ext4.img"
    mv "$work/ext4.img" "$out/"
fi
if stale root.ext4; then
    mkdir -p "$work/root/bin" "$work/root/etc"
    cp "$build/busybox/busybox" "$work/root/bin/"
    for applet in sh cat echo ls mount uname touch; do
        ln -s busybox "$work/root/bin/$applet"
    done
    echo eret-test > "$work/root/etc/hostname"
    truncate -s 16M "$work/root.ext4"
    mke2fs -q -F -t ext4 -E root_owner=0:0 -d "$work/root" "$work/root.ext4"
    mv "$work/root.ext4" "$out/"
fi
if stale merged.ext4 || stale merged.tar; then
    mkdir -p "$work/merged/usr/bin" "$work/merged/usr/lib" "$work/merged/var/tmp" "$work/merged/etc" "$work/merged/root"
    cp "$build/busybox/busybox" "$work/merged/usr/bin/"
    ln -s busybox "$work/merged/usr/bin/sh"
    ln -s usr/bin "$work/merged/bin"
    ln -s /usr/lib "$work/merged/lib"
    ln -s ../var/tmp "$work/merged/usr/tmp"
    ln -s elsewhere "$work/merged/etc/link"
    chmod 700 "$work/merged/root"
    tar -C "$work/merged" -cf "$work/merged.tar" .
    truncate -s 16M "$work/merged.ext4"
    mke2fs -q -F -t ext4 -E root_owner=0:0 -d "$work/merged" "$work/merged.ext4"
    mv "$work/merged.tar" "$work/merged.ext4" "$out/"
fi
# In init_module, in place of `stp x29, x30, [sp, #-N]!; mov x29, sp`, which no relocation changes: mov x0, #0; str x0,
# [x0].
if stale oops.ko; then
    xz -dc "$(find "$build/kernels/6.12/lib" -name 'dummy.ko.xz')" > "$work/dummy.ko"
    section=$(readelf -SW "$work/dummy.ko" | sed -n 's/.*\.init\.text *PROGBITS *[0-9a-f]* *\([0-9a-f]*\).*/\1/p')
    symbol=$(readelf -sW "$work/dummy.ko" | awk '$8 == "init_module" { print $2 }')
    perl -0777 -e '
        my ($file, $from) = @ARGV;
        open my $in, "<:raw", $file or die; my $bytes = <$in>;
        my $at = index($bytes, "\xfd\x03\x00\x91", $from);
        die "dummy.ko: init_module is not what it was\n" if $at < 0 || $at > $from + 64 || substr($bytes, $at - 4, 4) !~ /^\xfd\x7b.\xa9$/s;
        # A signature that is not right is refused; none is not.
        my $mark = "~Module signature appended~\n";
        my $length = length($mark) + 12 + unpack("N", substr($bytes, -length($mark) - 4, 4));
        substr($bytes, -$length) = "" if substr($bytes, -length($mark)) eq $mark;
        substr($bytes, $at - 4, 8) = "\x00\x00\x80\xd2\x00\x00\x00\xf9";
        print $bytes' "$work/dummy.ko" $((0x$section + 0x$symbol)) > "$work/oops.ko"
    mv "$work/oops.ko" "$out/"
fi
if [ "$(uname -m)" = aarch64 ]; then cc=gcc; else cc=aarch64-linux-gnu-gcc; fi
for program in with-tap without udp fake-ssh; do
    source=$root/tests/host/$program.c
    [ -n "$(find "$source" -newer "$out/$program" 2> /dev/null || echo none)" ] || continue
    $cc -std=gnu11 -Os -Wall -Wextra -static -s -o "$work/$program" "$source"
    mv "$work/$program" "$out/"
done
if [ ! -e "$out/passt" ]; then
    "$root/guest-images/fetch.sh" passt
    cp "$build/passt/passt" "$work/"
    mv "$work/passt" "$out/"
fi
# esp IMAGE MIB: a disk whose one partition is an EFI system partition.
esp() { gpt "$work/$1" "$2" 45524554; }
append="quiet eret.mode=test eret.test=efi,kept"
if [ -d "$build/firmware" ] && { stale boot.img || [ -n "$(find "$build/kernels/6.12/initrd" -newer "$out/boot.img")" ]; }; then
    esp boot.img 94
    echo "FS0:\\Image.efi initrd=\\initrd $append" > "$work/startup.nsh"
    printf 'default l\nlabel l\n  kernel /Image.efi\n  initrd /initrd\n  append %s\n' "$append" > "$work/extlinux.conf"
    mmd -i "$work/boot.img@@1M" ::/extlinux
    mcopy -i "$work/boot.img@@1M" "$image" ::/Image.efi
    mcopy -i "$work/boot.img@@1M" "$build/kernels/6.12/initrd" "$work/startup.nsh" ::/
    mcopy -i "$work/boot.img@@1M" "$work/extlinux.conf" ::/extlinux/
    mv "$work/boot.img" "$out/"
fi
# grub IMAGE COMMANDS: such a disk, with GRUB at the removable path, and what it is to do.
grub() {
    esp "$1" 38
    # shellcheck disable=SC2059  # the escapes in it are meant
    printf "$2" > "$work/grub.cfg"
    mmd -i "$work/$1@@1M" ::/EFI ::/EFI/BOOT ::/EFI/debian
    mcopy -i "$work/$1@@1M" "$build/firmware/grubaa64.efi" ::/EFI/BOOT/BOOTAA64.EFI
    mcopy -i "$work/$1@@1M" "$work/grub.cfg" ::/EFI/debian/
    mv "$work/$1" "$out/"
}
if [ -d "$build/firmware" ] && stale grub.img; then
    grub grub.img "search --set=root --file /Image.efi\nlinux /Image.efi $append\ninitrd /initrd\nboot\n"
fi
for name in one two; do
    if [ -d "$build/firmware" ] && stale $name.img; then
        grub $name.img "echo GUEST disk=$name\nhalt\n"
    fi
done
bench=$root/tests/bench
if [ -n "$(find "$bench/build-trips.sh" "$bench/guest/trips.S" "$bench/minimal-loop.c" "$root/vmm/arm/kvm-abi.h" -newer "$out/trips" 2> /dev/null || echo none)" ]; then
    "$bench/build-trips.sh" "$out" 250
fi
