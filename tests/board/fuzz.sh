#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What fuzzing has kept, once more, and for a moment what comes of it by changes at random: each target of tests/fuzz/ with gcc's sanitizers,
# which need no other compiler and no other build than the unit tests. Two at a time. Prints TAP.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

seconds=1 # each, behind the kept inputs

export G_SLICE=always-malloc
export ASAN_OPTIONS=detect_leaks=0

# replay NAME: the target's end, and what it said.
replay() {
    timeout 120 "build/native/fuzz-$1" "$seconds" --keep "$work/$1.input" "tests/fuzz/corpus/$1"/* > "$work/$1.log" 2>&1
    echo $? > "$work/$1.status"
}

names=$(cd tests/fuzz && echo fuzz-*.c | sed 's/fuzz-\([a-z0-9-]*\)\.c/\1/g')
# shellcheck disable=SC2086  # words
set -- $names
while [ $# -gt 0 ]; do
    replay "$1" &
    [ $# = 1 ] || replay "$2" &
    wait
    shift
    [ $# = 0 ] || shift
done

for name in $names; do
    status=$(cat "$work/$name.status")
    [ "$status" = 0 ] || {
        mkdir -p build/fuzz/findings
        ! [ -e "$work/$name.input" ] || cp "$work/$name.input" "build/fuzz/findings/$name-replay"
        echo "status $status; the input is build/fuzz/findings/$name-replay" >> "$work/$name.log"
    }
    result "$status" "fuzz-$name finds nothing" "$work/$name.log"
done
plan
