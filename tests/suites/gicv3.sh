#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# All tests of guests, on the usual host: GICv3 with ITS, kernel 6.12. On a machine with ARM64 KVM: on itself.
#
# Usage: gicv3.sh [TEST...]      TEST: more
cd "$(dirname "$0")/../.." || exit
for test in tests/boot/*.sh tests/guest/*.sh; do
    case $test in
    tests/boot/smoke.sh) ;;     # less than the others, for other hosts
    tests/boot/libraries.sh) ;; # of hosts whose libraries are not those that eret is built against
    *) set -- "$@" "$test" ;;
    esac
done
exec tests/host/run-tests.sh gicv3 "$@"
