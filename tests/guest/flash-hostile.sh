#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Firmware that says anything to its flash: nothing but the file of variables changes, and that is what the guest reads.
# limit: 300
# shellcheck source=tests/host/lib.sh
. "$LIB"

for seed in 1 2; do
    rm -f vars
    run_eret --firmware "$GUESTS/flash-hostile.flash,vars=vars" --append "seed=$seed" --stats=stats.txt
    like "$console" '^PASS flash-hostile' "seed $seed: the flash is as it should be, and works"
    unlike "$console" '^not ok' "seed $seed: every check passes"
    is "$status" 0 "seed $seed: eret lives, status 0"
    is "$(wc -c < vars)" 1048576 "seed $seed: the file has the size that it had"
    sum=$(busybox crc32 vars | cut -c 1-8)
    is "$(sed -n 's/^crc32 \([0-9a-f]*\).*/\1/p' "$console")" "$(printf %x "0x$sum")" "seed $seed: it holds what the guest reads"
done
like stats.txt 'flash0' "what happened is counted"
like stats.txt 'refused: the block is locked' "and what was refused"
