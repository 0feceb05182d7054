#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds what tells the cost of a round trip:
#
#   OUT/trips           a bare-metal program that counts the ticks of round trips (flat, with the header of a Linux kernel)
#   OUT/minimal-loop    the least that runs a guest
#
# Usage: build-trips.sh OUT ROUNDS     ROUNDS: of each kind of round trip
set -eu
umask 022

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
if [ "$(uname -m)" = aarch64 ]; then cross=; else cross=aarch64-linux-gnu-; fi
work=$(mktemp -d "$1/.trips.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

${cross}gcc -std=gnu11 -O2 -Wall -Wextra -static -I"$root" -o "$work/minimal-loop" "$here/minimal-loop.c"
${cross}gcc -nostdlib -static -no-pie -Wl,--build-id=none -Wl,-Ttext=0x40080000 -Wl,--no-warn-rwx-segments -DROUNDS="$2" -o "$work/trips.elf" "$here/guest/trips.S"
${cross}objcopy -O binary "$work/trips.elf" "$work/trips"
mv "$work/minimal-loop" "$work/trips" "$1/"
