#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# SIGTSTP and SIGCONT: the machine stands still, and its clock with it.
# limit: 400
# shellcheck source=tests/host/lib.sh
. "$LIB"

new_guest pause
# A line a second; the fifth is followed by the pause.
"$ERET" exec --kernel "$KERNELS/6.12/Image" --cpus 2 --boot-timeout 200 -- sh -c 'for i in 1 2 3 4 5 6 7 8 9 10; do cut -d. -f1 /proc/uptime; sleep 1; done' \
    > out 2> "$errors" 3>&- < /dev/null &
pid=$!
tries=0
until [ "$(wc -l < out)" -ge 5 ] || [ "$tries" -gt 300 ]; do
    tries=$((tries + 1))
    usleep 200000
done
kill -TSTP "$pid"
tries=0
until grep -q '^State:.*T' "/proc/$pid/status" || [ "$tries" -gt 50 ]; do
    tries=$((tries + 1))
    usleep 100000
done
like "/proc/$pid/status" '^State:.*T' "SIGTSTP stops the process"
lines=$(wc -l < out)
sleep 8
is "$(wc -l < out)" "$lines" "and the guest says nothing more"
kill -CONT "$pid"
wait "$pid"
status=$?
is "$status" 0 "after SIGCONT it goes on to its end"
is "$(wc -l < out)" 10 "with all that it had to say"
# From line to line the guest's time goes on by a second or two, over the pause as well; it was stopped for eight.
longest=$(awk 'NR > 1 && $1 - last > most { most = $1 - last } { last = $1 } END { print most + 0 }' out)
if [ "$KIND" = k61 ]; then
    skip "its clock has not noticed" "this host's KVM cannot move the guest's counter"
elif [ "$longest" -lt 6 ]; then
    passed "its clock has not noticed"
else
    failed "its clock has not noticed" "the longest second took $longest" "$(tr '\n' ' ' < out)"
fi
