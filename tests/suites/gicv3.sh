#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# All tests of guests, on the usual host: GICv3 with ITS, kernel 6.12. On a machine with ARM64 KVM: on itself.
cd "$(dirname "$0")/../.." || exit
set --
for test in tests/boot/*.sh tests/guest/*.sh; do
    [ "$test" = tests/boot/smoke.sh ] || set -- "$@" "$test"  # less than the others, for other hosts
done
exec tests/host/run-tests.sh gicv3 "$@"
