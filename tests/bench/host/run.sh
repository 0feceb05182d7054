#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The half of `make bench` that runs where the guests do: in the emulated host, or on the machine itself. See lib.sh for what it prints.
#
# Usage: run.sh FIGURE...      boot trips memory doorbell block queues stream cow root console net density firmware
#
# From bench.sh: BENCH, ERET, QEMU, LIBRARIES, KERNEL, INITRD, TOOLS, FIRMWARE, ROUNDS, TRIES, BLOCK_REQUESTS, CONSOLE_KIB, DENSITY, NET_MIB, NET_ROUNDS.
set -u
# shellcheck source=tests/bench/host/lib.sh
. "$BENCH/lib.sh"
# shellcheck source=tests/bench/host/trace.sh
. "$BENCH/trace.sh"
# shellcheck source=tests/bench/host/disk.sh
. "$BENCH/disk.sh"
work=$(mktemp -d "${TMPDIR:-/tmp}/eret-bench.XXXXXX")
cd "$work" || exit
export TMPDIR="$work" # for what QEMU keeps of a disk that it is not to write to
trap 'trace_end 2> /dev/null; end_images; rm -rf "$work"' EXIT

info host-kernel "$(uname -r)"
info host-cpu "$(sed -n 's/^CPU part[^:]*: //p; s/^CPU implementer[^:]*: //p' /proc/cpuinfo | head -n 2 | tr '\n' ' ')"
info host-cpus "$(grep -c '^processor' /proc/cpuinfo)"
info eret "$("$ERET" --version 2>&1 | head -n 1)"
[ ! -x "$QEMU" ] || info qemu "$(LD_LIBRARY_PATH=$LIBRARIES "$QEMU" --version | head -n 1)"
for figure; do
    # shellcheck source=/dev/null
    . "$BENCH/figures/$figure.sh"
    "measure_$figure"
done
info complete yes
