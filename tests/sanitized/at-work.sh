#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The sanitizer that eret is built with finds what there is to find, in a vCPU's thread at a guest's access: eret has a
# device here that does it (tests/sanitized/faults.c). Its report is written as the runner has them written, but to a
# file where the runner does not look.
# shellcheck source=tests/host/lib.sh
. "$LIB"

[ -n "${SANITIZER-}" ] || skip_all "eret has no sanitizer"

ASAN_OPTIONS=help=1 TSAN_OPTIONS=help=1 "$ERET" --version > help 2>&1
like help '^Available flags for (Address|Thread)Sanitizer:' "eret has it"

found() { cat found.* 2> /dev/null; }

# with_fault FAULT: eret, whose guest writes to that device.
with_fault() {
    rm -f found.*
    export ERET_FAULT="$1"
    run_eret --kernel "$GUESTS/accesses" --scratch --no-defaults
}

# commits FAULT REPORT: what the runtime says of it.
commits() {
    with_fault "$1"
    is "$status" 99 "$1: status 99"
    found > all
    like all "$2" "$1: it is reported"
    like all 'tests/sanitized/faults\.c:[0-9]+' "$1: with the place"
}

ERET=$FAULTS
export ASAN_OPTIONS="log_path=$PWD/found" UBSAN_OPTIONS="log_path=$PWD/found" TSAN_OPTIONS="log_path=$PWD/found"
case $SANITIZER in
asan)
    commits overflow 'ERROR: AddressSanitizer: heap-buffer-overflow'
    commits use-after-free 'ERROR: AddressSanitizer: heap-use-after-free'
    commits undefined 'faults\.c:[0-9]+:[0-9]+: runtime error: signed integer overflow'
    commits leak 'ERROR: LeakSanitizer: detected memory leaks'
    ;;
tsan)
    commits race 'WARNING: ThreadSanitizer: data race'
    with_fault locked
    is "$(found)" "" "what a lock of GLib's protects is no race"
    ;;
esac
