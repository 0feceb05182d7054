#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# An access to a device whose syndrome does not say what it does: eret carries the instruction out.
# shellcheck source=tests/host/lib.sh
. "$LIB"

run_eret --kernel "$GUESTS/load-pair.elf"
like "$console" 'reading a pair' "the guest starts"
like "$console" 'the flags came with it' "the pair is what the device has"
is "$status" 0 "and it goes on: status 0"
