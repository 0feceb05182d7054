#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The decoder of loads and stores that a guest's CPU leaves to eret, against objdump's: the same kind, registers, sizes and write-back for
# instructions at random, of all that it takes. Prints TAP.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

words=150000

objdump=objdump
[ "$(uname -m)" = aarch64 ] || objdump=aarch64-linux-gnu-objdump

# agrees SEED
agrees() {
    build/native/decoder words "$words" "$1" > "$work/words" &&
        "$objdump" -D -b binary -m aarch64 -z "$work/words" > "$work/assembly" &&
        build/native/decoder compare < "$work/assembly" > "$work/compared" 2>&1
    result $? "objdump says the same of $words instructions" "$work/compared"
}

agrees 1
agrees 2

# One that is another instruction than it is said to be.
printf '   0:\t39948c2b \tldrsb\tw11, [x1, #1315]\n' | build/native/decoder compare > "$work/compared"
like "$work/compared" '1 instructions, 1 differ' "what differs is noticed"
plan
