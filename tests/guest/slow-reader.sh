#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Text by hypercall for a reader who takes nothing: the vCPU waits a while, and the machine goes on.
# root
# shellcheck source=tests/host/lib.sh
. "$LIB"

# sleeps: whether the vCPU's thread does, in clock_nanosleep, which is 115 on ARM64.
sleeps() {
    for task in "/proc/$pid/task/"*; do
        [ "$(cat "$task/comm" 2> /dev/null)" != vcpu0 ] || cut -d' ' -f1 "$task/syscall" 2> /dev/null
    done | grep -qx 115
}

# 145,000 bytes: more than a pipe and what eret keeps for its reader.
mkfifo pipe
new_guest --kernel hello --append lines=5000
sh -c 'until [ -e go ]; do sleep 0.1; done; cat' < pipe > "$console" &
reader=$!
"$ERET" run --kernel "$GUESTS/hello" --append lines=5000 < /dev/null > pipe 2> "$errors" 3>&- &
pid=$!
deadline=$(($(date +%s) + patience))
until sleeps || ! running "$pid" || [ "$(date +%s)" -ge "$deadline" ]; do :; done
check "the vCPU waits for the reader" running "$pid"
touch go
finish_eret "$run_limit"
wait "$reader"
is "$status $(cat "$errors")" "0 " "the machine goes on, to its end: status 0"
check "what there was room for has come" [ "$(grep -c '^hello from EL1' "$console")" -ge 4000 ]
