#!/bin/sh
# What every kind of host has to do: boots with two vCPUs, a disk, both consoles, reboot, the hypercall tour and every form of access.
#
# Usage: run-matrix.sh KIND      KIND: host.sh kinds
cd "$(dirname "$0")/../.." || exit
exec tests/host/run-tests.sh "$1" tests/boot/smoke.sh tests/boot/linux-pl011.sh tests/boot/linux-virtio-console.sh tests/boot/reboot.sh tests/boot/virtio-mmio.sh \
    tests/boot/eret-guest.sh tests/guest/hello.sh tests/guest/bare.sh
