#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A host without GICv3, ITS and VHE.
cd "$(dirname "$0")/../.." || exit
exec tests/host/run-tests.sh gicv2 tests/boot/linux-pl011.sh tests/boot/linux-virtio-console.sh tests/boot/disk.sh tests/boot/gic.sh tests/boot/acpi.sh tests/boot/doctor.sh tests/boot/cpu.sh tests/guest/hello.sh tests/guest/bare.sh
