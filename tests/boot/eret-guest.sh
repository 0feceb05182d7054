#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A program in the guest calls eret through the doorbell page, which it finds in the device tree or by ACPI: eret-guest.
# shellcheck source=tests/host/lib.sh
. "$LIB"

for tables in fdt acpi; do
    boot eret-guest,17 --tables $tables
    is "$status" 17 "$tables: eret-guest exit 17: the exit status of eret"
    unlike "$console" 'GUEST bad' "$tables: no command goes wrong"
    is "$(grep -c 'GUEST fine=' "$console")" 6 "$tables: version, mark, ready, print, time and nop succeed"
    like "$console" 'hello from user space' "$tables: print: the text is on the console"
    like "$errors" '^eret: mark [0-9]+ init-done at [0-9.]+ s' "$tables: mark: eret tells it, with the time"
    like "$errors" '^eret: ready at [0-9.]+ s' "$tables: ready: so it does"
done
