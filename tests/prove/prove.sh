#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Proves what tests/prove/prove-NAME.c says, and prints a line: how many properties hold, in how many seconds, within which bounds. Where one does not hold,
# says which; with TRACE=1, how it comes to that. Each function prove_... of the file is proved on its own.
#
# Usage: prove.sh NAME            status 1: a property does not hold
#        prove.sh --fault NAME    each fault that the file names is made in a copy of the source, and must be noticed
set -u
cd "$(dirname "$0")/../.." || exit 1
faults=
[ "${1-}" != --fault ] || { faults=1; shift; }
name=${1-}
proof=tests/prove/prove-$name.c
if [ $# != 1 ] || [ ! -e "$proof" ]; then
    echo "usage: prove.sh [--fault] NAME, of: $(echo tests/prove/prove-*.c | sed 's,[^ ]*/prove-\([^ ]*\)\.c,\1,g')" >&2
    exit 1
fi
cbmc=$PWD/build/cbmc/bin/cbmc
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# field NAME: the lines of the head that begin with NAME and a colon.
field() { sed -n "s/^ \* $1: //p" "$proof"; }
read -ra options <<< "$(field cbmc | paste -s -d ' ')"
read -ra flags <<< "$(pkg-config --cflags glib-2.0)"
mapfile -t functions < <(sed -n 's/^static void \(prove_[a-z_]*\)(void) {$/\1/p' "$proof")
[ -z "${TRACE-}" ] || options+=(--trace)

# What is on by default is named all the same: it is what is proved.
checks=(--bounds-check --pointer-check --pointer-overflow-check --pointer-primitive-check --signed-overflow-check --undefined-shift-check
    --div-by-zero-check --unwinding-assertions)

# run FUNCTION [DIRECTORY]: one of the proofs, of the sources as they are in DIRECTORY, where they are; the answer is in $work/answer.
run() {
    (ulimit -t "${PROVE_SECONDS:-600}" && exec "$cbmc" ${2:+-I "$2"} -I . "${flags[@]}" -DG_LOG_DOMAIN='"eret"' -D_GNU_SOURCE "$proof" --function "$1" \
        "${checks[@]}" --drop-unused-functions --no-malloc-may-fail "${options[@]}") > "$work/answer" 2>&1
}

prove_all() {
    local start=$EPOCHREALTIME function held=0 properties wrong=
    for function in "${functions[@]}"; do
        if run "$function" && properties=$(sed -n 's/^\*\* 0 of \([0-9]*\) failed.*/\1/p' "$work/answer") && [ -n "$properties" ]; then
            held=$((held + properties))
            continue
        fi
        wrong=1
        echo "$name: $function does not hold"
        if [ -n "${TRACE-}" ]; then cat "$work/answer"; else grep -E ': FAILURE$' "$work/answer" || tail -n 5 "$work/answer"; fi
    done
    [ -z "$wrong" ] && [ "$held" -gt 0 ] || return 1
    printf '%-14s %4d properties hold, %5.1f s; bounds: %s\n' "$name" "$held" "$(awk "BEGIN {print $EPOCHREALTIME - $start}")" "$(field bounds)"
}

# noticed FILE EDIT: whether any of the proofs fails once sed has EDITed FILE.
noticed() {
    local function
    rm -rf "$work/tree"
    mkdir -p "$work/tree/$(dirname "$1")"
    sed "$2" "$1" > "$work/tree/$1"
    ! cmp -s "$1" "$work/tree/$1" || { echo "$name: this changes nothing in $1 any more: $2"; return 1; }
    for function in "${functions[@]}"; do
        run "$function" "$work/tree"
        ! grep -q '^VERIFICATION FAILED' "$work/answer" || return 0
    done
    echo "$name: nobody notices $2"
    return 1
}

if [ -z "$faults" ]; then
    prove_all
    exit
fi
status=0
while read -r file edit; do
    if noticed "$file" "$edit"; then echo "$name: noticed: $edit"; else status=1; fi
done < <(field fault)
exit $status
