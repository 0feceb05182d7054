#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs test scripts on a host with KVM and prints one TAP stream as they go: in one boot of an emulated host of the given kind, or on the
# machine itself where that is ARM64 with a usable /dev/kvm.
#
# Usage: run-tests.sh KIND TEST...      KIND: host.sh kinds; TEST: tests/boot/NAME.sh, tests/guest/NAME.sh
#
# JOBS=1 runs one test at a time (default: two), HOST_TIMEOUT=SECONDS ends a host that has not come to an end (1200), ERET_TESTS_TIMES=1
# adds a comment with each test's time. Exit status 1 when something failed.
set -u

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
build=$root/build
# shellcheck source=tests/host/where.sh
. "$here/where.sh"

[ $# -ge 2 ] || { echo "usage: run-tests.sh KIND TEST..." >&2; exit 2; }
kind=$1
shift
cd "$root" || exit 2
tests=()
for test; do
    [ -f "$test" ] || { echo "run-tests.sh: no $test" >&2; exit 2; }
    test=$(realpath --relative-to="$root" "$test")
    tests+=("$test")
done
export JOBS=${JOBS:-2}
work=$build/.tests-work.$$
mkdir -p "$work"
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# --- TAP ---------------------------------------------------------------------------------------------------------------------------

n=0
failures=0
declare -A begun ended results comments

result() { # ok|"not ok" TEXT [COMMENTS]
    n=$((n + 1))
    [ "$1" = ok ] || failures=$((failures + 1))
    echo "$1 $n - $2"
    [ -z "${3-}" ] || printf '%s' "$3"
}

one_line() { # TEST REST
    local test=$1 rest=$2
    case $rest in
    start) begun[$test]=1 ;;
    '#'*) comments[$test]+="$rest"$'\n' ;;
    'ok '*) result ok "$test: ${rest#ok }"; results[$test]=1 ;;
    'not ok '*) result 'not ok' "$test: ${rest#not ok }" "${comments[$test]-}"; results[$test]=1 ;;
    'skip '*) result ok "$test # SKIP ${rest#skip }"; results[$test]=1 ;;
    'end '*)
        ended[$test]=1
        [ -n "${results[$test]-}" ] || result 'not ok' "$test: asserts something" "${comments[$test]-}"
        [ -z "${ERET_TESTS_TIMES-}" ] || echo "# $test took ${rest##* } s"
        ;;
    *) echo "# $test: $rest" ;;
    esac
    case $rest in '#'*) ;; *) comments[$test]= ;; esac
}

# Reads what runner.sh prints and, at the end, `|status N`.
make_tap() {
    local line status="" test name
    while IFS= read -r line; do
        line=${line%$'\r'}
        case $line in
        '|status '*) status=${line#|status } ;;
        *'|'*) one_line "${line%%|*}" "${line#*|}" ;;
        *) echo "# $line" ;;
        esac
    done
    for test in "${tests[@]}"; do
        name=${test#tests/}
        name=${name%.sh}
        [ -z "${ended[$name]-}" ] || continue
        if [ -n "${begun[$name]-}" ]; then
            result 'not ok' "$name: the host ended while this ran (status $status)" "${comments[$name]-}"
        else
            result 'not ok' "$name: not run, the host ended before (status $status)"
        fi
    done
    if [ "$status" != 0 ] && [ "$failures" = 0 ]; then
        result 'not ok' "the host ends well (status $status)"
    fi
    if [ "$failures" != 0 ]; then sed 's/^/# /' "$work/messages"; fi
    echo "1..$n"
    [ "$failures" = 0 ]
}

# --- where -------------------------------------------------------------------------------------------------------------------------

prepare() {
    local -a kernels=(6.12 6.1 7.3)
    [ "$kind" != k73-16k ] || kernels+=(7.3-16k)
    "$root/guest-images/fetch.sh" "${kernels[@]}" &&
        for kernel in "${kernels[@]}"; do
            "$root/guest-images/build-initramfs.sh" "$kernel" || return
        done &&
        { [ "$kind" != k73-nested ] || "$root/guest-images/fetch.sh" xen; } &&
        "$root/guest-images/build-bare.sh" && "$root/guest-images/selftests.sh" && "$here/fixtures.sh"
}

run_here() {
    env KIND=native ERET="$build/arm64/eret" KERNELS="$build/kernels" GUESTS="$build/guests" FIXTURES="$build/fixtures" SELFTESTS="$build/selftests" \
        sh "$here/runner.sh" "$root" "${tests[@]}"
}

run_emulated() {
    local -a shares=(--share "$build/guests:guests" --share "$build/fixtures:fixtures" --share "$build/selftests:selftests")
    local file
    [ "$kind" != k73-nested ] || shares+=(--share "$build/xen/Image:xen")
    for file in tests/host/lib.sh tests/host/runner.sh tests/boot/suites "${tests[@]}"; do
        shares+=(--share "$root/$file:$file")
    done
    "$here/host.sh" run --kind "$kind" --timeout "${HOST_TIMEOUT:-1200}" "${shares[@]}" -- \
        env KIND="$kind" ERET=/share/eret KERNELS=/kernels GUESTS=/share/guests FIXTURES=/share/fixtures SELFTESTS=/share/selftests JOBS="$JOBS" \
        sh /share/tests/host/runner.sh /share "${tests[@]}"
}

reason=$(why_not_here)
if [ -z "$reason" ] && [ "$kind" != gicv3 ]; then
    echo "ok 1 - $kind # SKIP this machine has ARM64 KVM of its own, so no other kinds of host are emulated"
    echo 1..1
    exit 0
fi
: > "$work/messages"
{
    if ! prepare 2>> "$work/messages" >&2; then
        echo "|status no-images"
    elif [ -z "$reason" ]; then
        run_here 2>> "$work/messages"
        echo "|status $?"
    else
        run_emulated 2>> "$work/messages"
        echo "|status $?"
    fi
} | make_tap
