#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What the cage costs a machine's start, in instructions of the host up to the guest's first: on a host of the kind `exact`.
# shellcheck source=tests/host/lib.sh
. "$LIB"

[ "$KIND" = exact ] || skip_all "the clock of this host counts more than instructions"

# start SANDBOX: of the least of a few starts. The guest is stopped when it runs.
start() {
    best=0
    for _ in 1 2 3; do
        start_eret --kernel "$KERNELS/6.12/Image" --initrd "$KERNELS/6.12/initrd" --cpus 1 --stats=stats.json --sandbox "$1"
        deadline=$(($(date +%s) + 60))
        until grep -q . "$console" || [ "$(date +%s)" -ge "$deadline" ]; do usleep 50000; done
        kill -TERM "$pid"
        kill -TERM "$pid"
        finish_eret 60
        ns=$(tr -d ' \n' < stats.json | sed -n 's/.*{"phase":"first-instruction","ns":\([0-9]*\).*/\1/p')
        if [ -n "$ns" ] && { [ "$best" = 0 ] || [ "$ns" -lt "$best" ]; }; then best=$ns; fi
        rm -f stats.json
    done
    echo "$best"
}

off=$(start off) on=$(start require)
check "measured ($off and $on)" [ "$off" -gt 0 -a "$on" -gt 0 ]
check "at most 105 % of a start without" [ "$((on * 100))" -le "$((off * 105))" ]
