#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A service outside the process answers a guest's HVC: the example server of the documentation. When it dies or hangs, the guest gets an error and lives on.
# shellcheck source=tests/host/lib.sh
. "$LIB"

[ "$KIND" != k61 ] || skip_all "HVC is not forwarded without the SMCCC filter"

"$GUESTS/hypercall-server" calls.sock > server.log 2>&1 &
server=$!
tries=0
until [ -S calls.sock ] || [ "$tries" -ge 50 ]; do
    sleep 0.2
    tries=$((tries + 1))
done
run_eret --kernel "$GUESTS/peer.elf" --hypercall 0xc2000000+16=unix:calls.sock
is "$(grep -c 'peer: 42' "$console")" 2 "both calls are answered"
is "$status" 0 "the guest powers off, status 0"

kill -STOP "$server"
run_eret --kernel "$GUESTS/peer.elf" --hypercall 0xc2000000+16=unix:calls.sock,timeout=100
is "$(grep -c 'peer: error' "$console")" 2 "a server that hangs: both calls get an error"
like "$console" alive "and the guest lives on"
is "$status" 0 "to its power-off, status 0"

# The end of a machine does not wait for it. The call is made a moment after the start; nothing tells of it.
start_eret --kernel "$GUESTS/peer.elf" --grace 0 --hypercall 0xc2000000+16=unix:calls.sock,timeout=10000
sleep 3
kill -TERM "$pid"
finish_eret 5
isnt "$status" timeout "a machine whose vCPU waits for a server ends at once"
unlike "$console" . "the call has not come back before"
kill -KILL "$server"
