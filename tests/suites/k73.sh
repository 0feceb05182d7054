#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A host with a newer kernel, 7.3.
cd "$(dirname "$0")/../.." || exit
exec tests/host/run-tests.sh k73 tests/boot/smoke.sh tests/boot/doctor.sh tests/boot/eret-guest.sh tests/guest/bare.sh
