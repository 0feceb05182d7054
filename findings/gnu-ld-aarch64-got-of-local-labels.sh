#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# GNU binutils 2.40 for AArch64 (Debian 12, binutils-aarch64-linux-gnu 2.40-2): two local labels of one section, each
# addressed through the GOT, get one GOT entry between them, so both loads yield the address of the first label.
#
# Expected: an entry for each, as for global labels (ELF for the Arm 64-bit Architecture, "Relocation operations":
#   GDAT(S + A) is the GOT entry of S + A), or an error.
# Seen: the assembler replaces a local label by its section with an addend (.rodata, .rodata+0x4); the linker looks up
#   the entry by the section's symbol alone. No warning from either; with the labels global the same source is right.
# Met by: data that an assembly file embeds (.incbin) under local labels, used by position-independent C.
#
# Usage: gnu-ld-aarch64-got-of-local-labels.sh     needs apt on Debian 12 (amd64), nothing installed; exit status 0: still so
set -eu

version=2.40-2
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
cd "$here"
apt-get -q -q download "binutils-aarch64-linux-gnu=$version" "libbinutils=$version" libjansson4 2> messages || { cat messages; exit 2; }
for package in *.deb; do dpkg-deb -x "$package" root; done
tool() {
    name=$1
    shift
    LD_LIBRARY_PATH=$here/root/usr/lib/x86_64-linux-gnu "$here/root/usr/bin/aarch64-linux-gnu-$name" "$@"
}

cat > local.s << 'END'
    .section .rodata
first:
    .word 1
second:
    .word 2
    .text
    .globl _start
_start:
    adrp x0, :got:first
    ldr  x0, [x0, :got_lo12:first]
    adrp x1, :got:second
    ldr  x1, [x1, :got_lo12:second]
END
sed 's/^\(first\|second\):/.globl \1\n&/' local.s > global.s

# The offsets that the two loads take within their page: the same offset is the same GOT entry.
entries() {
    tool as -o "$1.o" "$1.s"
    tool ld -o "$1" "$1.o"
    tool objdump -d "$1" | sed -n 's/.*ldr.*, #\([0-9]*\)\]$/\1/p' | sort -u | wc -l
}

tool ld --version | head -n 1
echo "GOT entries for two global labels: $(entries global)"
echo "GOT entries for two local labels:  $(entries local)"
tool objdump -r local.o | grep GOT
[ "$(entries global)" = 2 ] && [ "$(entries local)" = 1 ]
