#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs test scripts, some at a time, and prints what they say a line each as `TEST|...`: run-tests.sh makes TAP of it.
# This half runs where the guests do: in the emulated host, or on the machine itself.
#
# Usage: runner.sh ROOT TEST...      TEST: a script's path below ROOT; KIND, ERET, KERNELS, GUESTS, FIXTURES, JOBS,
#                                    SANITIZER: see lib.sh and below
#
#   TEST|start              TEST|end STATUS SECONDS
#   TEST|# diagnosis        of the result that follows
#   TEST|ok NAME            TEST|not ok NAME            TEST|skip REASON
#
# What it promises a script: a directory of its own to be in, an end, and that nothing is left over. A script is the
# leader of a session. When it ends, the session is killed, so no eret and no sleep of one test can disturb the next. A
# watchdog kills a script that hangs (300 s, or `# limit:` in its head), and leaves a file `hung` in its directory: so
# the two ways to die by a signal can be told apart.
#
# JOBS workers go through the same list. Who makes the directory claims/TEST runs that test: mkdir is atomic, and
# busybox has nothing better. Tests with `# serial` in their head come last, one after the other.
#
# A machine whose thread asked for a system call that its filter has not fails its test, whatever the script makes of its
# end, and so does one that has no filters where it should: a line `# breaks out` in a script's head says that it means to.
#
# Where state lies. All of it is in one temporary directory: claims/, and a directory a test with `log` (the script's
# standard error), console.N and errors.N (what its N-th guest and eret have written), and whatever the script makes. A
# test's directory goes when the test ends, as the emulated host has little memory.
#
# With SANITIZER=asan or tsan eret has that sanitizer, and each test one result more: that it has reported nothing. It
# writes what it reports to files of its own (log_path), report.PID in the test's directory, so that none is lost when
# eret is killed, or when its messages are not looked at. All limits are longer then (SLOWER).
#
# When a test fails, a hung one shows the last lines of its last guest, one that broke off (status above 1) those of its
# own log. 1 alone says nothing: it is the status of a failed assertion, which lib.sh has told already. To see a
# script's directory, run it by hand, with the variables that are named in lib.sh.
set -u
root=$1
shift
export LIB="$root/tests/host/lib.sh"
export SUITES="$root/tests/boot/suites"
export KIND ERET KERNELS GUESTS FIXTURES TEST
SANITIZER=${SANITIZER-}
export SANITIZER
SLOWER=1
[ -z "$SANITIZER" ] || SLOWER=4
export SLOWER
default_limit=300
jobs=${JOBS:-2}
work=$(mktemp -d "${TMPDIR:-/tmp}/eret-tests.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir "$work/claims"

say() { printf '%s|%s\n' "$TEST" "$*"; }
name_of() { TEST=${1#tests/}; TEST=${TEST%.sh}; }
head_says() { sed -n '/^#/!q; p' "$root/$1" | grep -qx "# $2"; }

# The script is the leader of a session, so that nothing it has started outlives it.
run_test() {
    name_of "$1"
    if head_says "$1" root && [ "$(id -u)" != 0 ]; then
        say start
        say "skip needs root"
        say "end 0 0"
        return
    fi
    limit=$(sed -n 's/^# limit: //p' "$root/$1")
    limit=$((${limit:-$default_limit} * SLOWER))
    directory=$work/$(echo "$TEST" | tr / -)
    mkdir "$directory"
    say start
    began=$(date +%s)
    (cd "$directory" && reports_to "$directory/report" && exec setsid sh "$root/$1" < /dev/null 2> log) &
    script=$!
    (
        trap 'kill "$sleeper"; exit' TERM
        sleep "$limit" &
        sleeper=$!
        wait "$sleeper"
        : > "$directory/hung"
        kill -KILL "-$script"
    ) > /dev/null 2>&1 &
    watchdog=$!
    wait "$script"
    status=$?
    kill "$watchdog" 2> /dev/null
    kill -KILL "-$script" 2> /dev/null
    if [ -e "$directory/hung" ]; then
        guest=1
        while [ -e "$directory/console.$((guest + 1))" ]; do guest=$((guest + 1)); done
        show "its last guest's last lines" "$directory/console.$guest"
        show "eret's stderr" "$directory/errors.$guest"
        say "not ok ends within $limit seconds"
    elif [ "$status" -gt 1 ]; then  # 1 is that of a failed assertion
        show "the script's own messages" "$directory/log"
        say "not ok the script itself ends well (status $status)"
    fi
    if ! head_says "$1" "breaks out" && grep -hE '^eret: (--)?sandbox' "$directory"/errors.* "$directory"/*log > "$directory/filters" 2> /dev/null; then
        show "what was said of them" "$directory/filters"
        say "not ok its machines have system-call filters, and ask for nothing else"
    fi
    [ -z "$SANITIZER" ] || show_reports "$directory"
    say "end $status $(($(date +%s) - began))"
    rm -rf "$directory"
}

# reports_to FILE: what eret has of sanitizers writes there, with its PID behind the name. GLib's own allocator, until
# 2.76, would hide from them who uses what is freed, and what goes from one thread to another.
reports_to() {
    [ -n "$SANITIZER" ] || return 0
    export G_SLICE=always-malloc
    export ASAN_OPTIONS="log_path=$1" UBSAN_OPTIONS="log_path=$1" TSAN_OPTIONS="log_path=$1"
}

# show_reports DIRECTORY: a result. A report's first lines say what is wrong, and where.
show_reports() {
    for report in "$1"/report.*; do
        [ -e "$report" ] || continue
        shown_report "$report"
        say "not ok the sanitizer has nothing to report"
        return
    done
    say "ok the sanitizer has nothing to report"
}

shown_report() {
    say "# --- the sanitizer's report"
    head -n 150 "$1" | tr -cd '\t\n -~' | cut -c 1-300 | while IFS= read -r line; do
        say "#   $line"
    done
}

show() {
    [ -s "$2" ] || return 0
    say "# --- $1"
    tail -n 20 "$2" | tr -cd '\t\n -~' | cut -c 1-300 | while IFS= read -r line; do
        say "#   $line"
    done
}

# Takes the tests that nobody has taken yet.
work_through() {
    for test; do
        mkdir "$work/claims/$(echo "$test" | tr / -)" 2> /dev/null || continue
        run_test "$test"
    done
}

serial=
parallel=
for test; do
    if head_says "$test" serial; then serial="$serial $test"; else parallel="$parallel $test"; fi
done
while [ "$jobs" -gt 0 ]; do
    # shellcheck disable=SC2086  # words
    work_through $parallel &
    jobs=$((jobs - 1))
done
wait
# shellcheck disable=SC2086
work_through $serial
