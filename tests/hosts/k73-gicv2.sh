#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Linux 7.3 without VHE, GICv2: what differs from the two that it is made of is how interrupts come.
exec "$(dirname "$0")/../host/run-tests.sh" k73-gicv2 tests/long/firmware.sh tests/long/net-back-ends.sh tests/long/net-bridge.sh tests/long/net-offloads.sh tests/long/net-reboots.sh \
    tests/boot/smoke.sh tests/boot/linux-virtio-console.sh tests/boot/disk.sh tests/boot/doctor.sh tests/guest/bare.sh
