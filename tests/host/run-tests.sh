#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs test scripts on a host with KVM and prints one TAP stream as they go: in one boot of an emulated host of the
# given kind, or on the machine itself where that is ARM64 with a usable /dev/kvm.
#
# Usage: run-tests.sh KIND TEST...      KIND: host.sh kinds; TEST: tests/boot/NAME.sh, tests/guest/NAME.sh,
#                                tests/long/NAME.sh
#
# JOBS=1 runs one test at a time (default: three), HOST_TIMEOUT=SECONDS ends a host that has not come to an end (4800
# and the limits of tests that run alone), ERET_TESTS_TIMES=1 adds a comment with each test's time. ERET_LIBRARIES=debian-13
# has eret in an emulated host use Debian 13's C library, GLib and the others, whatever it is built against (host.sh).
# Exit status 1 when something failed.
#
# ERET_BUILD=arm64-asan or arm64-tsan: with eret as it is built there (default: arm64). A test then fails for what the
# sanitizer reports, too, and has more time.
#
# Why it is in two halves. A boot of an emulated host takes seconds, and a guest in it many more; so all tests of a kind
# share one boot. What runs in there has busybox and no more. This half stays outside: it has bash, makes the images,
# and counts. The other half (runner.sh) goes in with the tests, and has no opinion of what they say. Who calls whom:
#
#   tests/suites/KIND.sh, tests/hosts/KIND.sh      which tests on which kind (prove, by way of tests/tap.sh)
#     run-tests.sh            prepare: images and fixtures, made once and kept in build/
#       host.sh run           boots the host, shares files with it, passes standard output through
#         runner.sh           in the host: starts the scripts, some at a time, kills those that hang
#           NAME.sh + lib.sh  the test: starts eret, asserts
#
# What comes back is a line each, `TEST|what it says` (runner.sh has the grammar), from some tests at a time. make_tap
# turns that into TAP: it numbers the results, and holds a test's comments back until the result that they belong to.
# Last comes `|status N`, the host's own exit status. A test that had begun and has no end then was running when the
# host died, and fails; so does one that never began, and one that asserted nothing.
#
# Where state lies. build/.tests-work.PID is this run's, and goes with it: what host.sh and the preparation said, which
# is shown when something failed. The results are kept by tests/tap.sh, in build/tap/. The host's own console is
# build/host/KIND/console.log. The rest lies in the host's memory, and is gone with it.
#
# When a test fails, its comments stand under it: what was got and what was wanted, and the last lines of its guest and
# of eret. Run it alone, with the kind that failed: `tests/host/run-tests.sh gicv3 tests/boot/disk.sh` takes a minute
# once all is built. JOBS=1 shows whether another test has to do with it. For a look from the inside,
# `tests/host/host.sh run --interactive -- sh` gives a shell in the same host, with /share/eret.
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
export JOBS=${JOBS:-3} # of two CPUs: tests wait for their guests, and guests for devices
eret_build=${ERET_BUILD:-arm64}
sanitizer=${eret_build#arm64}
sanitizer=${sanitizer#-}
work=$build/.tests-work.$$
mkdir -p "$work"
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# --- TAP --------------------------------------------------------------------------------------------------------------

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

# --- where ------------------------------------------------------------------------------------------------------------

# runs NAME...: whether one of these is among the tests
runs() {
    local name
    for name; do
        [[ " ${tests[*]} " != *"/$name.sh "* ]] || return 0
    done
    return 1
}

wants_firmware() { runs cloud || [[ " ${tests[*]} " == *"/firmware"* ]]; }

prepare() {
    local -a kernels=(6.12 6.1 7.3)
    [ "$kind" != k73-16k ] || kernels+=(7.3-16k)
    "$root/guest-images/fetch.sh" "${kernels[@]}" &&
        for kernel in "${kernels[@]}"; do
            "$root/guest-images/build-initramfs.sh" "$kernel" || return
        done &&
        { [ "$kind" != k73-nested ] || "$root/guest-images/fetch.sh" xen; } &&
        { ! runs vsock-selftests vhost-vsock-selftests || "$root/guest-images/vsock-tests.sh"; } &&
        { ! runs debian-ssh rootfs cloud || "$root/guest-images/debian-root.sh" "$build/debian-root"; } &&
        { ! wants_firmware || "$root/guest-images/fetch.sh" firmware; } &&
        { ! runs cloud || { "$root/guest-images/debian-cloud.sh" "$build/debian-cloud/13" 13 && "$root/guest-images/debian-cloud.sh" "$build/debian-cloud/12" 12; }; } &&
        { ! runs firmware-debian || "$root/guest-images/debian-disk.sh" "$build/debian-disk"; } &&
        { ! runs vhost-user-daemons net-back-ends share share-load rootfs images disk-formats firmware-formats cloud || "$root/guest-images/back-ends.sh" 13 "$build/fixtures/debian-13"; } &&
        { ! runs share-load || "$root/guest-images/debian-tools.sh" "$build/debian-tools"; } &&
        { ! runs vhost-user-daemons share disk-formats || "$root/guest-images/back-ends.sh" 12 "$build/fixtures/debian-12"; } &&
        { ! runs net-offloads || "$root/guest-images/fetch-program.sh" net-tools bookworm iperf3:usr/bin/iperf3 ethtool:sbin/ethtool; } &&
        { ! runs selftests || "$root/guest-images/selftests.sh"; } &&
        "$root/guest-images/build-bare.sh" && "$here/fixtures.sh"
}

run_here() {
    env KIND=native ERET="$build/$eret_build/eret" SANITIZER="$sanitizer" FAULTS="$build/$eret_build/faults" KERNELS="$build/kernels" GUESTS="$build/guests" FIXTURES="$build/fixtures" SELFTESTS="$build/selftests" \
        VSOCK_TESTS="$build/vsock-tests" NET_TOOLS="$build/net-tools" DEBIAN_ROOT="$build/debian-root" DEBIAN_DISK="$build/debian-disk" DEBIAN_CLOUD="$build/debian-cloud" DEBIAN_TOOLS="$build/debian-tools" \
        FIRMWARE="$build/firmware" \
        sh "$here/runner.sh" "$root" "${tests[@]}"
}

# In seconds: what takes its turn alone adds up.
host_timeout() {
    local test limit total=4800
    for test in "${tests[@]}"; do
        limit=$(sed -n 's/^# limit: //p' "$test")
        ! grep -qx '# serial' "$test" || total=$((total + ${limit:-300}))
    done
    echo "$total"
}

run_emulated() {
    local -a shares=(--share "$build/guests:guests" --share "$build/fixtures:fixtures")
    local file
    [ -z "${ERET_LIBRARIES-}" ] || shares+=(--share "$build/libraries/$ERET_LIBRARIES/sums:libraries.sums")
    [ "$kind" != k73-nested ] || shares+=(--share "$build/xen/Image:xen")
    ! runs selftests || shares+=(--share "$build/selftests:selftests")
    ! runs debian-ssh rootfs cloud || shares+=(--share "$build/debian-root:debian-root")
    ! runs share-load || shares+=(--share "$build/debian-tools:debian-tools")
    ! runs firmware-debian || shares+=(--share "$build/debian-disk:debian-disk")
    ! runs cloud || shares+=(--share "$build/debian-cloud:debian-cloud")
    ! wants_firmware || shares+=(--share "$build/firmware:firmware")
    ! runs vsock-selftests vhost-vsock-selftests || shares+=(--share "$build/vsock-tests:vsock-tests")
    [ -z "$sanitizer" ] || shares+=(--share "$build/$eret_build/faults:faults")
    [ ! -d "$build/net-tools" ] || shares+=(--share "$build/net-tools:net-tools")
    for file in tests/host/lib*.sh tests/host/runner.sh tests/boot/suites "${tests[@]}"; do
        shares+=(--share "$root/$file:$file")
    done
    "$here/host.sh" run --kind "$kind" --timeout "${HOST_TIMEOUT:-$(host_timeout)}" "${shares[@]}" -- \
        env KIND="$kind" ERET=/share/eret SANITIZER="$sanitizer" FAULTS=/share/faults LIBRARIES="${ERET_LIBRARIES:+/share/libraries.sums}" KERNELS=/kernels GUESTS=/share/guests FIXTURES=/share/fixtures SELFTESTS=/share/selftests VSOCK_TESTS=/share/vsock-tests \
        NET_TOOLS=/share/net-tools DEBIAN_ROOT=/share/debian-root DEBIAN_DISK=/share/debian-disk DEBIAN_CLOUD=/share/debian-cloud DEBIAN_TOOLS=/share/debian-tools FIRMWARE=/share/firmware JOBS="$JOBS" \
        sh /share/tests/host/runner.sh /share "${tests[@]}"
}

reason=$(why_not_here)
if [ -z "$reason" ] && [ -n "${ERET_LIBRARIES-}" ]; then
    echo "ok 1 - $ERET_LIBRARIES # SKIP this machine has ARM64 KVM of its own, and its own libraries"
    echo 1..1
    exit 0
fi
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
