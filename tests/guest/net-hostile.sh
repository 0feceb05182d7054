#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A driver of a network card that breaks all the rules, on a tap and against another machine: the card answers as it
# should, works afterwards, and eret's memory does not grow.
# root
# limit: 120
# shellcheck source=tests/host/lib.sh
. "$LIB"
tap=eret-hostile
program=$GUESTS/net-hostile

# peak: the most memory that eret has had so far, in KiB
peak() { sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$pid/status"; }

# hostile BEHIND OPTION...
hostile() {
    behind=$1
    shift
    start_eret --kernel "$program" "$@"
    wait_console '^settled' 60 || return
    before=$(peak)
    send x
    wait_console '^done' 60 || return
    after=$(peak)
    send x
    finish_eret 20
    like "$console" '^PASS net-hostile' "$behind: each is answered as it should be, and the card works"
    unlike "$console" '^not ok' "$behind: without exception"
    is "$status" 0 "$behind: eret lives, status 0"
    check "$behind: its memory does not grow ($before, then $after KiB)" test "$((after - before))" -lt 1024
}

"$FIXTURES/with-tap" "$tap" 2 true || skip_all "no tap can be made here"
ip addr add 10.77.2.1/24 dev "$tap"
ip link set "$tap" up
hostile "a tap" --append wait --net "tap=$tap,queues=2,vhost=off" --stats
like "$errors" 'virtio-net0' "what happened is counted"

"$ERET" run --kernel "$program" --append echo --net unix=net.sock < /dev/null > echo.out 2> echo.err 3>&- &
other=$!
hostile "another machine" --append "wait seed=2" --net unix=net.sock || kill "$other" 2> /dev/null
wait "$other"
is "$?" 0 "and the other machine has heard its last word"
like echo.out '^PASS' "which it was told to end by"
