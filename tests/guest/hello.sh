#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The smallest guest, as an ELF executable and as a flat binary.
# shellcheck source=tests/host/lib.sh
. "$LIB"

run_eret --kernel "$GUESTS/hello.elf"
is "$(tr -d '\r' < "$console")" "hello from EL1" "ELF: its line"
is "$status" 0 "ELF: status 0"

run_eret --kernel "$GUESTS/hello.bin" --kernel-format raw
is "$(tr -d '\r' < "$console")" "hello from EL1" "flat: its line"
is "$status" 0 "flat: status 0"

run_eret --kernel "$GUESTS/hello.bin"
like "$errors" '.' "flat without --kernel-format raw: a message"
isnt "$status" 0 "flat without --kernel-format raw: refused"

run_eret --kernel "$GUESTS/hello.elf" --no-defaults
is "$status" 0 "without any device: status 0"
