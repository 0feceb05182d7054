#!/bin/sh
# All tests of guests, on the usual host: GICv3 with ITS, kernel 6.12. On a machine with ARM64 KVM: on itself.
cd "$(dirname "$0")/../.." || exit
exec tests/host/run-tests.sh gicv3 $(ls tests/boot/*.sh tests/guest/*.sh | grep -vx tests/boot/smoke.sh)
