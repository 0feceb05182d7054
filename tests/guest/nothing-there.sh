#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# An address where nothing is: reads give zeros, writes are ignored.
# shellcheck source=tests/host/lib.sh
. "$LIB"

run_eret --kernel "$GUESTS/nothing-there.elf"
like "$console" 'reads give zeros' "reads of every width give zeros"
is "$status" 0 "the guest lives on and powers off, status 0"
