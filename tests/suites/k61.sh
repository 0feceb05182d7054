#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A host with Debian 12's own kernel, 6.1: its KVM knows less.
cd "$(dirname "$0")/../.." || exit
exec tests/host/run-tests.sh k61 tests/boot/smoke.sh tests/boot/doctor.sh tests/boot/cpu.sh tests/boot/eret-guest.sh tests/boot/psci-user.sh tests/boot/smccc-policy.sh tests/guest/hello.sh tests/guest/bare.sh
