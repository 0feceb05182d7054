#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What a round trip to userspace costs over the least that it can cost, in instructions of host and guest: on a host of the kind `exact`.
# shellcheck source=tests/host/lib.sh
. "$LIB"

[ "$KIND" = exact ] || skip_all "the clock of this host counts more than instructions"

# least NAME FILE: ticks of the quickest batch, of 250 round trips each.
least() {
    best=
    while read -r name _ ticks; do
        [ "$name" = "$1" ] || continue
        ticks=$((0x${ticks%%[!0-9a-f]*}))
        if [ -z "$best" ] || [ "$ticks" -lt "$best" ]; then best=$ticks; fi
    done < "$2"
    echo "${best:-0}"
}

"$FIXTURES/minimal-loop" "$FIXTURES/trips" > minimal
# compare SANDBOX PERCENT: of what the loop takes.
compare() {
    run_eret --kernel "$FIXTURES/trips" --memory 64M --transport mmio --exits all --cpu host,pmu=off,steal-time=off --sandbox "$1"
    is "$status" 0 "--sandbox $1: the guest ends"
    for trip in hvc read write; do
        eret=$(least $trip "$console") minimal=$(least $trip minimal)
        check "$trip: measured ($eret and $minimal)" [ "$eret" -gt 0 -a "$minimal" -gt 0 ]
        check "$trip: at most $2 % of the minimal loop's" [ "$((eret * 100))" -le "$((minimal * $2))" ]
    done
}
compare off 105
# The loop has no filter of system calls, and an HVC takes three of these.
compare require 117
