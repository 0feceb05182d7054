#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# 100,000 calls with random functions and registers, through every door: refused or answered as documented, and the machine lives on.
# limit: 700
# shellcheck source=tests/host/lib.sh
. "$LIB"

run_eret --timeout 600 --kernel "$GUESTS/fuzz"
like "$console" '^PASS fuzz' "the guest finds every answer right"
unlike "$console" '^not ok' "none is wrong"
is "$status" 0 "the machine lives on and powers off, status 0"
