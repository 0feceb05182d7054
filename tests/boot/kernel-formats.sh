#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Debian's kernel in the packings it comes in elsewhere: Image.gz, and EFI zboot with zstd.
# shellcheck source=tests/host/lib.sh
. "$LIB"

for file in Image.gz vmlinuz.efi; do
    run_eret --kernel "$FIXTURES/$file" --initrd "$KERNELS/6.12/initrd" --append 'quiet eret.mode=test eret.test=boot'
    is "$status" 0 "$file: the guest powers off, status 0"
    is "$(guest cpus)" 1 "$file: it came to its first process"
done
