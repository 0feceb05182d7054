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

# The example server of the documentation, for the host's side of a test.
if [ -n "$(find "$here/../docs/hypercall-server.c" -newer "$out/hypercall-server" 2>/dev/null || echo missing)" ] || [ ! -e "$out/hypercall-server" ]; then
    ${cross}gcc -static -O2 -Wall -Wextra -o "$out/hypercall-server" "$here/../docs/hypercall-server.c"
fi
