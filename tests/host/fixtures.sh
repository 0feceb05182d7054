#!/bin/sh
# Makes the files that the tests of guests need, in build/fixtures/:
#
#   Image.gz vmlinuz.efi   Debian's kernel, packed: gzip, and EFI zboot with a zstd payload
#   ext4.img               a file system of 32 MiB with a file `hello`
#
# What is already there, and newer than its source, is left alone.
set -eu
umask 022
root=$(cd "$(dirname "$0")/../.." && pwd)
build=$root/build
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

# The header's 64 bytes, as in Linux, drivers/firmware/efi/libstub/zboot-header.S; the PE header it points to is left out.
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
