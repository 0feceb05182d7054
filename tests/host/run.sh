#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What `make run` does once all is built: boots Debian's kernel in a guest of eret, on this machine if it is ARM64 with a usable /dev/kvm,
# otherwise in the emulated host. On a terminal it ends in the guest's shell; else the guest prints a report and powers off.
#
# Usage: run.sh [OPTION OF eret run]...      KERNEL=6.12 (6.1, 7.3): the guest's kernel; KIND=gicv3: the emulated host, see host.sh
#
# The exit status is eret's, or host.sh's 125 when the emulated host failed.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
build=$root/build
# shellcheck source=tests/host/where.sh
. "$here/where.sh"
kernel=${KERNEL:-6.12}
kind=${KIND:-gicv3}

say() { echo "$*" >&2; }

terminal=
[ ! -t 0 ] || [ ! -t 1 ] || terminal=1

append="quiet eret.mode=report"
if [ -n "$terminal" ]; then
    size=$(stty size | tr ' ' x)
    case $size in *x0 | 0x*) size= ;; *) size=" eret.tty=$size" ;; esac # a terminal that does not know its size
    append="quiet eret.mode=shell$size TERM=${TERM:-vt100}"
fi
options=(--cpus 2 --memory 512M --rng --append "$append" "$@")

reason=$(why_not_here)
if [ -z "$reason" ]; then
    say "This machine has ARM64 KVM: the guest runs on it directly."
    exec "$build/arm64/eret" run --kernel "$build/kernels/$kernel/Image" --initrd "$build/kernels/$kernel/initrd" "${options[@]}"
fi

say "No ARM64 KVM here ($reason): the guest runs in an emulated ARM64 host, whose KVM is real, only slow."
eret=(/share/eret run --kernel "/kernels/$kernel/Image" --initrd "/kernels/$kernel/initrd" "${options[@]}")
if [ -z "$terminal" ]; then
    exec "$here/host.sh" run --kind "$kind" -- "${eret[@]}"
fi
say "Starting the emulated ARM64 host (some 5 seconds) ..."
# Ctrl-A x is one of the ways out that the user was told of (status 4), and no failure of `make run`.
# shellcheck disable=SC2016  # for the shell over there
"$here/host.sh" run --kind "$kind" --interactive -- \
    sh -c 'printf "Starting the guest (some 5 seconds). Ctrl-A x stops it, at any time.\r\n"; exec "$@"' sh "${eret[@]}" || {
    status=$?
    [ "$status" = 4 ] || exit "$status"
}
