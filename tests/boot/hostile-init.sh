#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# eret exec, and a guest whose first process lies to it (guest-images/hostile/): nothing is written outside of a destination, nothing is waited for
# beyond its limits, and neither what is said nor the memory it takes grows beyond its bounds.
# limit: 900
# shellcheck source=tests/host/lib.sh
. "$LIB"

top=$PWD
memory_max=163840  # kB: the guest's 128 MiB, and what eret may take beside them
blocks_max=8192    # of 512 bytes: no file of more than 4 MiB, whatever the guest sends

# Keeps the last word on the memory that process $1 has come to at most, and ends it when it is far beyond every limit.
watch() {
    end_by=$(($(date +%s) + 260))
    while running "$1"; do
        [ "$(date +%s)" -le "$end_by" ] || kill -KILL "$1"
        sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$1/status" > peak.now
        [ ! -s peak.now ] || mv peak.now peak
        sleep 0.2
    done
}

# begin CASE OPTION...: starts it in a directory of its own, with its output in $to and $errors_to, and its input from $from.
begin() {
    case=$1
    shift
    mkdir -p "$top/$case/outside"
    (
        cd "$top/$case" || exit
        ulimit -f "$blocks_max"
        date +%s > began
        : > errors
        "$ERET" exec --kernel "$image" --memory 128M --append rdinit=/hostile-init --copy-in "$GUESTS/hostile-init" --boot-timeout 150 "$@" -- "$case" \
            < "${from:-/dev/null}" > "${to:-out}" 2> "${errors_to:-errors}" 3>&- &
        pid=$!
        watch "$pid" 3>&- &
        wait "$pid"
        echo $? > status
        date +%s > ended
    ) &
    eval "pid_of_$(echo "$case" | tr - _)=$!"
}

# end CASE STATUS SECONDS: waits for it; it must have ended with STATUS, and not have taken longer than SECONDS, its boot included.
end() {
    eval "wait \$pid_of_$(echo "$1" | tr - _)"
    cd "$top/$1" || exit
    arguments=$1
    errors=$PWD/errors
    console=/dev/null
    shown=0
    status=$(cat status)
    is "$status" "$2" "$1: status $2"
    check "$1: within $3 seconds" test $(($(cat ended) - $(cat began))) -le "$3"
    check "$1: no more than $memory_max kB of memory, but $(cat peak)" test "$(cat peak)" -le "$memory_max"
    check "$1: no more than 300 lines of complaints, but $(wc -l < errors)" test "$(wc -l < errors)" -le 300
    is "$(tr -d '\n\t -~' < errors | od -An -c | head -n 3)" "" "$1: no character in them that a terminal acts on"
}

found() { find . -mindepth 1 | grep -vE '^\./(began|ended|errors|out|peak(\.now)?|status)$' | LC_ALL=C sort | tr '\n' ' '; }

# These do nothing but wait: all at once.
begin exit-and-stay
begin done-and-stay
begin done-with-open-ports

begin escape --copy-out /a:top --copy-out /b:dir --copy-out /c:file
end escape 240 200
is "$(found)" "./dir ./dir/absolute ./dir/absolute/by-link ./dir/composed ./dir/composed/x ./dir/d ./dir/d/up ./dir/good ./dir/set-id ./file ./outside " \
    "nothing is where it was not asked for"
is "$(find . -type l)" ./dir/d/up "one link stays within, and the others are not there"
is "$(cat dir/good file)" goodgood "what may come is there"
check "and nobody's privileges with it" test ! -u dir/set-id -a ! -g dir/set-id
is "$(grep -c '^eret: --copy-out: ' errors)" 122 "a hundred failures and twenty links are told, and how many more there were"

# Sends while the others run.
begin endless-files --copy-out /a:endless --copy-out-limit 1M --timeout 2

begin long-name --copy-out /a:long
end long-name 240 200
is "$(found)" "./long ./long/good ./outside " "what came before a name that is too long"
like errors "did not come whole: a name is longer than any path" "and why that is all"

begin huge-file --copy-out /a:huge
end huge-file 240 200
is "$(found)" "./huge ./outside " "neither a hard link nor a file that breaks off"

to=/dev/null
errors_to=/dev/null
begin endless-output --timeout 2
end endless-output 245 200
to=
errors_to=

head -c 4000000 /dev/zero > "$top/zeros"
from=$top/zeros
begin endless-control --timeout 2
end endless-control 245 200
from=
begin endless-lines --timeout 2
end endless-lines 245 200

begin silly-words
end silly-words 3 200
begin other-version
end other-version 240 200
like errors 'speaks version 2 of the protocol' "which is said"
begin strange-text
end strange-text 247 200
begin warnings
end warnings 9 200
is "$(grep -c '^eret: .*w$' errors):$(awk 'length > 300' errors)" 32: "warnings are shown up to a number, and each up to a length"
unlike errors 'too late' "and none when the command runs"
begin reopen
end reopen 8 200

# The command has said how it ended: there is a limit to what may follow.
end endless-files 245 200
is "$(found)" "./outside " "a guest that sends for ever delivers nothing"
end exit-and-stay 245 200
end done-and-stay 6 200
end done-with-open-ports 245 200

# The same under eret test, which believes no more of it.
cd "$top" || exit
new_guest test hostile.ini
"$ERET" test -j 2 --define "KERNELS=$(realpath "$KERNELS")" --define "GUESTS=$(realpath "$GUESTS")" --logs logs --junit report.xml --json report.json \
    "$SUITES/hostile.ini" > out 2> "$errors" 3>&- < /dev/null
is "$?" 1 "a suite of hostile guests: status 1"
like out '^FAILED +hostile/floods .*it wrote more than 256K on its standard (output|error)' "a flood ends its guest"
for stream in stdout stderr; do
    check "and no more of its $stream is kept" test "$(wc -c < logs/hostile.floods.$stream)" -le 262144
done
like out '^FAILED +hostile/results ' "results as no test writes them are no success"
check "and the report is not long for them" test "$(wc -c < report.json)" -le 1048576
is "$(cat out "$errors" report.xml report.json | tr -dc '\033' | wc -c)" 0 "nor is there in any report what a terminal acts on"
