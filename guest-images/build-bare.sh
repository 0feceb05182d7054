#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the bare-metal guests, each as an ELF executable and as a flat binary: build/guests/NAME.{elf,bin}
#
# Usage: build-bare.sh      What is newer than its sources is left alone.
set -eu
umask 022

here=$(cd "$(dirname "$0")" && pwd)
out=$(cd "$here/.." && pwd)/build/guests
if [ "$(uname -m)" = aarch64 ]; then cross=; else cross=aarch64-linux-gnu-; fi
flags="-nostdlib -static -ffreestanding -no-pie -Wl,--build-id=none -Wl,--no-warn-rwx-segments"

mkdir -p "$out"
for source in "$here"/hello/*.S; do
    name=$(basename "$source" .S)
    [ -n "$(find "$here/hello" "$0" -newer "$out/$name.bin" 2>/dev/null || echo missing)" ] || continue
    # shellcheck disable=SC2086  # words
    ${cross}gcc $flags -T "$here/hello/bare.ld" -o "$out/$name.elf" "$source"
    ${cross}objcopy -O binary "$out/$name.elf" "$out/$name.bin"
done

# For the host's side of a test: the example server of the documentation, and a device in a process of its own.
for source in docs/hypercall-server.c tests/host/rng-back-end.c; do
    name=$(basename "$source" .c)
    [ -n "$(find "$here/../$source" -newer "$out/$name" 2>/dev/null || echo missing)" ] || continue
    ${cross}gcc -static -O2 -Wall -Wextra -o "$out/$name" "$here/../$source"
done
