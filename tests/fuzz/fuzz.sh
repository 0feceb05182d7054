#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs fuzz targets, or keeps what they have found. `make fuzz` and `make fuzz-keep` call it, once the programs are built.
#
# Usage: fuzz.sh run|keep SECONDS NAME...
#
#   run   each target for so many seconds, from tests/fuzz/corpus/NAME and what earlier runs have found, which is in build/fuzz/corpus/NAME
#         and grows there. A line for each target. Status 1: one has found something; the input is named, and stays.
#   keep  of both those that reach most become tests/fuzz/corpus/NAME (cover.awk): at most 48 inputs, of at most 4 KiB each. Those that
#         somebody has written, seed-*, stay.
#
# Words that a target's inputs are made of are in tests/fuzz/words/NAME, where there are any: libFuzzer's dictionaries.
set -u
cd "$(dirname "$0")/../.." || exit 2

memory=2048 # MiB
patience=60 # seconds, for one input; on a busy machine most of them are waited
largest=4096 # bytes of an input
most=48

# What GLib has freed is to be seen as freed; nobody collects what a program leaves behind for the process's end.
export G_SLICE=always-malloc
export ASAN_OPTIONS=detect_leaks=1:handle_abort=1
export UBSAN_OPTIONS=print_stacktrace=1
# Directories that come and go with each input.
[ ! -w /dev/shm ] || export TMPDIR=/dev/shm

# What of a log: the last number behind WORD.
# shellcheck disable=SC2317  # of what is called by name
number() { sed -n "s/.*$1:* *\([0-9][0-9]*\).*/\1/p" "$log" | tail -n 1; }

# shellcheck disable=SC2317  # as that
count() { find "$@" -type f | wc -l; }

# shellcheck disable=SC2317  # called by name
run() {
    name=$1
    found=build/fuzz/corpus/$name
    log=build/fuzz/$name.log
    words=tests/fuzz/words/$name
    mkdir -p "$found" build/fuzz/findings "tests/fuzz/corpus/$name"
    [ -e "$words" ] || words=
    "build/fuzz/fuzz-$name" ${words:+"-dict=$words"} "-max_total_time=$seconds" "-rss_limit_mb=$memory" "-timeout=$patience" "-max_len=$largest" \
        -print_final_stats=1 -report_slow_units=30 "-artifact_prefix=build/fuzz/findings/$name-" "$found" "tests/fuzz/corpus/$name" < /dev/null > "$log" 2>&1
    status=$?
    runs=$(number 'stat::number_of_executed_units')
    inputs=$(count "$found" "tests/fuzz/corpus/$name")
    printf '%-14s %9s runs  %6s edges  %5s inputs' "$name" "${runs:-?}" "$(number ' cov')" "$inputs"
    if [ "$status" = 0 ]; then
        echo
        return
    fi
    artifact=$(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)
    echo "  FOUND: $(grep -m 1 -E 'ERROR: |runtime error: |assertion failed|CRITICAL' "$log")"
    echo "    input ${artifact:-?}, log $log; again: build/fuzz/fuzz-$name ${artifact:-}"
    return 1
}

# libFuzzer says what each input reaches; few of them reach nearly all of it.
# shellcheck disable=SC2317  # called by name, as the one above
keep() {
    name=$1
    merged=build/fuzz/merged-$name
    control=$merged.control
    kept=tests/fuzz/corpus/$name
    rm -rf "$merged" "$control"
    mkdir -p "$merged" "$kept" "build/fuzz/corpus/$name"
    "build/fuzz/fuzz-$name" -set_cover_merge=1 "-max_len=$largest" "-merge_control_file=$control" "$merged" "$kept" "build/fuzz/corpus/$name" \
        > "build/fuzz/$name.log" 2>&1 || {
        tail -n 5 "build/fuzz/$name.log"
        return 1
    }
    rm -rf "$merged"
    mkdir "$merged"
    awk -v "most=$most" -f tests/fuzz/cover.awk "$control" | xargs -r cp -t "$merged"
    find "$kept" -type f ! -name 'seed-*' -delete
    find "$merged" -type f -exec cp -t "$kept" {} +
    printf '%-14s %5s inputs, %s bytes\n' "$name" "$(count "$kept")" "$(cat "$kept"/* | wc -c)"
    rm -rf "$merged" "$control"
}

[ $# -ge 3 ] || { sed -n 's/^# Usage: //p' "$0" >&2; exit 2; }
what=$1
seconds=$2
shift 2
failed=0
for name; do
    "$what" "$name" || failed=1
done
exit $failed
