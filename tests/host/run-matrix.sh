#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What every kind of host has to do: boots with two vCPUs, a disk, both consoles, reboot, the hypercall tour, every form of access, few
# bits of address; eret doctor says what it is; and every kind of network carries files.
#
# Usage: run-matrix.sh KIND [TEST...]      KIND: host.sh kinds; TEST: more
cd "$(dirname "$0")/../.." || exit
kind=$1
shift
exec tests/host/run-tests.sh "$kind" tests/long/net-back-ends.sh "$@" tests/boot/smoke.sh tests/boot/linux-pl011.sh tests/boot/linux-virtio-console.sh \
    tests/boot/reboot.sh tests/boot/disk.sh tests/boot/virtio-mmio.sh tests/boot/eret-guest.sh tests/boot/address-bits.sh tests/boot/doctor.sh \
    tests/guest/hello.sh tests/guest/bare.sh
