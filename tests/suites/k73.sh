#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A host that is newer than what eret is built on: kernel 7.3, and Debian 13's libraries.
cd "$(dirname "$0")/../.." || exit
ERET_LIBRARIES=debian-13 exec tests/host/run-tests.sh k73 tests/boot/vsock.sh tests/boot/libraries.sh tests/boot/smoke.sh tests/boot/doctor.sh \
    tests/boot/eret-guest.sh tests/boot/disk.sh tests/boot/hypercall-peer.sh tests/guest/bare.sh tests/guest/net-hostile.sh
