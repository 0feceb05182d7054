#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# VHE, GICv3 with ITS, Linux 6.12; and, once, what takes minutes: Debian 13, firmware, daemons.
exec "$(dirname "$0")/../host/run-matrix.sh" gicv3 tests/long/exec-stream.sh tests/long/debian-ssh.sh tests/long/firmware.sh tests/long/firmware-acpi.sh tests/long/firmware-debian.sh tests/long/firmware-kernel.sh \
    tests/long/vhost-user-daemons.sh tests/long/disk-formats.sh tests/long/firmware-formats.sh tests/long/cloud.sh tests/long/share.sh tests/long/share-load.sh tests/long/rootfs.sh tests/long/images.sh tests/long/selftests.sh tests/long/vsock-selftests.sh tests/long/vhost-vsock-selftests.sh tests/long/net-bridge.sh tests/long/net-offloads.sh tests/long/net-reboots.sh
