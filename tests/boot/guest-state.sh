#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What a machine is told of its guest, and a guest of its machine: watchdog, pvpanic, generation ID, and the page that says whether the
# clock stood still.
# limit: 900
# shellcheck source=tests/host/lib.sh
. "$LIB"

boot watchdog,serve --watchdog
like "$console" 'GUEST watchdog=sp805-wdt' "the watchdog has its driver"
like "$console" 'GUEST alive=serve' "a guest that serves it lives on"
is "$status" 0 "and powers off"

boot watchdog,neglect --watchdog=poweroff
unlike "$console" 'GUEST alive' "a guest that does not serve its watchdog is gone"
is "$status" 0 "poweroff: status 0"
like "$errors" 'has not served its watchdog: the machine is powered off' "poweroff: and it is said"

boot watchdog,neglect --watchdog --no-reboot
is "$status" 3 "reset, and --no-reboot: status 3"

boot watchdog,neglect --watchdog=fail
is "$status" 5 "fail: status 5"
like "$errors" 'has not served its watchdog' "fail: and it is said"

boot pvpanic,2 --pvpanic
is "$(guest events)" 0x03 "pvpanic: both events are heard"
like "$console" 'GUEST alive=2' "a guest that panics and has another kernel for it goes on"
like "$errors" 'panicked, and another takes over' "and it is said"
boot pvpanic,1 --pvpanic
unlike "$console" 'GUEST alive' "one that has none is ended"
is "$status" 5 "status 5"
like "$errors" "the guest's kernel panicked" "and it is said"

boot generation --vmgenid auto
is "$(guest vmgenid)" 1 "device tree: the generation ID has its driver"
no_warnings "device tree: and the kernel warns of nothing"
boot generation --vmgenid 324e6eaf-d1d1-4bf6-bf41-b9bb6c91fb87 --tables acpi
is "$(guest vmgenid)" 1 "ACPI: the generation ID has its driver"
is "$(guest wires)" 1 "ACPI: and its event"
no_warnings "ACPI: and the kernel warns of nothing"

kernel=7.3
for tables in fdt acpi; do
    start_boot generation,clock --vmgenid auto --vmclock --tables "$tables"
    wait_console 'GUEST marker=0' 60
    kill -TSTP "$pid"
    sleep 2
    kill -CONT "$pid"
    finish_eret 120
    is "$(guest marker)" 1 "$tables: after a pause the guest sees that its clock stood still"
    is "$(guest wires)" 2 "$tables: both interrupt"
    no_warnings "$tables: and the kernel warns of nothing"
    is "$status" 0 "$tables: it powers off"
done
