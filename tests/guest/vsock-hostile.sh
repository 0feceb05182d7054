#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A driver of a socket device that breaks all the rules: the device answers as it should, works afterwards, and eret's
# memory does not grow.
# limit: 120
# shellcheck source=tests/host/lib.sh
. "$LIB"
# shellcheck source=tests/host/lib-net.sh
. "${LIB%.sh}-net.sh"
stream=$GUESTS/vsock-stream

# peak: the most memory that eret has had so far, in KiB
peak() { sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$pid/status"; }

"$stream" -n 100000 socket:vm_1000 echo 3>&- &
echo=$!
"$stream" -n 100000 socket:vm_1001 hold 3>&- > /dev/null &
hold=$!
# Who takes one connection, and leaves all others waiting.
(
    trap 'kill "$child"; exit' TERM
    while :; do
        "$stream" socket:vm_1002 hold &
        child=$!
        wait "$child"
    done
) > /dev/null 3>&- &
crowd=$!
sleep 1
start_eret --kernel "$GUESTS/vsock-hostile" --append wait --vsock auto,unix=vm --stats
wait_console '^settled' 60 || exit
before=$(peak)
n_before=$(descriptors)
send x
wait_console '^done' 60 || exit
after=$(peak)
n_after=$(descriptors)
send x
finish_eret 20
kill "$echo" "$hold" "$crowd"
like "$console" '^PASS vsock-hostile' "each is answered as it should be, and the device works"
unlike "$console" '^not ok' "without exception"
is "$status" 0 "eret lives, status 0"
check "its memory does not grow ($before, then $after KiB)" test "$((after - before))" -lt 1024
check "nor does the number of its descriptors ($n_before, then $n_after)" test "$((n_after - n_before))" -lt 8
like "$errors" 'virtio-vsock0' "what happened is counted"
