#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What eret with a sanitizer has to do, without a report: boots, consoles, disks, networks, reboots, commands, hypercalls.
#
# Usage: run.sh BUILD      BUILD: arm64-asan or arm64-tsan (tests/sanitized/sanitized.mk)
unset ERET_LIBRARIES  # the sanitizers' runtimes are of the release that eret is built on
cd "$(dirname "$0")/../.." || exit
ERET_BUILD=$1 exec tests/host/run-tests.sh gicv3 tests/sanitized/at-work.sh tests/boot/smoke.sh tests/boot/linux-pl011.sh \
    tests/boot/linux-virtio-console.sh tests/boot/disk.sh tests/boot/net.sh tests/boot/reboot.sh tests/boot/exec.sh \
    tests/boot/eret-guest.sh tests/boot/smccc-policy.sh tests/boot/hypercall-peer.sh tests/boot/psci-user.sh
