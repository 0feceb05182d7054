#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Measures eret beside QEMU and beside the least that runs a guest, in a boot each of two emulated hosts, or on the
# machine itself where that is ARM64 with a usable /dev/kvm.
#
# Usage: bench.sh [--rounds N] [--only FIGURE,...] [--timeout SECONDS]      FIGURE: boot trips memory doorbell block queues stream cow root console net density firmware
#
#   build/bench/samples      every value, as it was seen    build/bench/bench.json   the same, and what follows from it
#   build/bench/bench.svg    a chart of it                  standard output          a table
#
# Environment: BLOCK_REQUESTS, CONSOLE_KIB, DENSITY (guests), NET_MIB, NET_ROUNDS: small by default where the host is emulated.
# docs/benchmarks.md says what the figures are.
#
# Three parts that know little of each other:
#
#   bench.sh                       prepares (kernel, QEMU, guests), starts the host, keeps what comes
#     host.sh run, host/run.sh     where the guests run: goes through the figures
#       host/figures/FIGURE.sh     one figure: starts each subject, round after round, and says what it has seen
#   bench-report (report/)         native and tested: medians, ratios, the targets; JSON, chart, table
#
# What is seen goes through one pipe, a line each of words between tabs (host/lib.sh has the grammar). Nothing is
# computed on the way: build/bench/samples has all values as they were, so that a report can be made again.
#
# Two hosts, because there are two kinds of figures. On `exact` time is the number of instructions, the same in each
# run; but it has one CPU, and shows nothing that needs two. `gicv3` has two CPUs, and times that differ from run to
# run; there, only what is compared within one round means anything. $exact says which figure is measured where. On a
# machine with KVM of its own there is one run, and times are times.
#
# State is build/bench/: the guests that were built for it, samples, the reports, and messages, which has all that was
# said and is no sample, the hosts' last lines too. A run begins with new samples and messages.
#
# When a figure is missing: the table says `none` where the measurement itself knew why, and samples has the reason.
# Else the run did not come to its end (it has no line `info complete yes`), and the last lines of messages are shown.
# Run that figure alone (--only FIGURE --rounds 1). One that has gone bad is best compared by its details, which samples
# has.
set -eu
umask 022

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
build=$root/build
out=$build/bench
all="boot trips memory doorbell block queues stream cow root console net density firmware"
exact="boot trips block queues stream cow root console net firmware" # what an emulated host measures in instructions, in a boot of its own
# shellcheck source=tests/host/where.sh
. "$root/tests/host/where.sh"

usage() { sed -n 's/^# Usage: //p' "$0" >&2; exit 2; }

rounds=3
only=$all
timeout=7200
arguments=$*
while [ $# -gt 0 ]; do
    [ $# -ge 2 ] || usage
    case $1 in
    --rounds) rounds=$2 ;;
    --only) only=${2//,/ } ;;
    --timeout) timeout=$2 ;;
    *) usage ;;
    esac
    shift 2
done
for figure in $only; do
    case " $all " in *" $figure "*) ;; *) usage ;; esac
done

say() { [ ! -t 2 ] || printf '\r\033[K%s' "$*" >&2; }

# One line at a time: what is measured is kept, what is said is shown on a terminal.
keep() {
    local line
    while IFS= read -r line; do
        line=${line%$'\r'}
        case $line in
        progress$'\t'*) say "${line#*$'\t'}" ;;
        sample$'\t'* | detail$'\t'* | none$'\t'* | info$'\t'*) printf '%s\n' "$line" >> "$out/samples" ;;
        *) printf '%s\n' "$line" >> "$out/messages" ;;
        esac
    done
    say
}

reason=$(why_not_here)
if [ -n "$reason" ]; then
    export BLOCK_REQUESTS=${BLOCK_REQUESTS:-300} CONSOLE_KIB=${CONSOLE_KIB:-4} DENSITY=${DENSITY:-3} NET_MIB=${NET_MIB:-16} NET_ROUNDS=${NET_ROUNDS:-400}
    trips=250
else
    export BLOCK_REQUESTS=${BLOCK_REQUESTS:-20000} CONSOLE_KIB=${CONSOLE_KIB:-10240} DENSITY=${DENSITY:-32} NET_MIB=${NET_MIB:-4096} NET_ROUNDS=${NET_ROUNDS:-50000}
    trips=20000
fi

say "preparing"
"$root/guest-images/fetch.sh" 6.12 firmware
"$root/guest-images/fetch-program.sh" qemu-arm64 bookworm-backports qemu-system-arm:usr/bin/qemu-system-aarch64
case " $only " in *" root "*) "$root/guest-images/back-ends.sh" 13 "$build/fixtures/debian-13" ;; esac
"$here/build-guest.sh" "$trips"
: > "$out/messages"
{
    printf 'info\tcommand\t%s\n' "bench.sh${arguments:+ $arguments}"
    printf 'info\tmachine\t%s\n' "$([ -n "$reason" ] && echo "emulated ($reason)" || echo real)"
    printf 'info\tguest-kernel\t%s\n' "$(cat "$build/kernels/6.12/version")"
    printf 'info\trounds\t%s\n' "$rounds"
} > "$out/samples"

# The environment of run.sh, for files below $1.
settings() {
    echo BENCH="$1/bench" ERET="$2" QEMU="$3/qemu-system-aarch64" LIBRARIES="$3/lib" KERNEL="$4/Image" INITRD="$5/initrd" TOOLS="$5" FIRMWARE="$6" ROUNDS="$rounds" \
        BLOCK_REQUESTS="$BLOCK_REQUESTS" CONSOLE_KIB="$CONSOLE_KIB" DENSITY="$DENSITY" NET_MIB="$NET_MIB" NET_ROUNDS="$NET_ROUNDS"
}

# emulated KIND TRIES FIGURE...
emulated() {
    local kind=$1 tries=$2
    local -a more=()
    shift 2
    case " $* " in *" root "*) more=(--share "$build/fixtures/debian-13:tools/back-ends") ;; esac
    runs=$((runs + 1))
    say "starting the host"
    # shellcheck disable=SC2046  # words
    "$root/tests/host/host.sh" run --kind "$kind" --timeout "$timeout" --share "$here/host:bench" --share "$build/qemu-arm64:qemu" --share "$out/initrd:tools/initrd" \
        --share "$out/trips:tools/trips" --share "$out/ring:tools/ring" --share "$out/minimal-loop:tools/minimal-loop" --share "$out/timed:tools/timed" --share "$out/net-load:tools/net-load" \
        --share "$out/firmware.img:tools/firmware.img" --share "$build/firmware/trixie:firmware" "${more[@]}" -- \
        env $(settings /share /share/eret /share/qemu /kernels/6.12 /share/tools /share/firmware) TRIES="$tries" sh /share/bench/run.sh "$@" 2>> "$out/messages" | keep || status=$?
}

# wanted yes|no: the figures that are asked for, and exact or not.
wanted() {
    local figure
    for figure in $only; do
        case " $exact " in
        *" $figure "*) [ "$1" = no ] || echo "$figure" ;;
        *) [ "$1" = yes ] || echo "$figure" ;;
        esac
    done
}

status=0 runs=0
if [ -z "$reason" ]; then
    ln -sfn "$here/host" "$out/bench"
    ln -sfn "$build/fixtures/debian-13" "$out/back-ends"
    runs=1
    # shellcheck disable=SC2046,SC2086  # words
    env $(settings "$out" "$build/arm64/eret" "$build/qemu-arm64" "$build/kernels/6.12" "$out" "$build/firmware/trixie") TRIES=5 sh "$here/host/run.sh" $only 2>> "$out/messages" | keep || status=$?
else
    # shellcheck disable=SC2046  # words
    [ -z "$(wanted yes)" ] || emulated exact 1 $(wanted yes)
    # shellcheck disable=SC2046
    [ -z "$(wanted no)" ] || emulated gicv3 5 $(wanted no)
fi
"$build/native/bench-report" "$out" || status=$?
if [ "$(grep -c '^info.complete.yes' "$out/samples")" != "$runs" ]; then
    echo "bench.sh: the run has not come to its end. What was said ($out/messages):" >&2
    tail -n 10 "$out/messages" >&2
    status=1
fi
exit "$status"
