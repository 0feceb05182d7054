#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A host that was entered at EL1, and so has no KVM.
cd "$(dirname "$0")/../.." || exit
exec tests/host/run-tests.sh el1 tests/boot/doctor-no-kvm.sh
