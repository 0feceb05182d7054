#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# PSCI answered by eret: Linux brings CPUs up, takes them down and up again, reboots and powers off by it.
# limit: 600
# shellcheck source=tests/host/lib.sh
. "$LIB"

if [ "$KIND" = k61 ]; then
    run_eret --kernel "$KERNELS/6.12/Image" --psci user
    is "$status" 1 "without the SMCCC filter: refused"
    like "$errors" 'psci user.*SMCCC filter.*6\.4' "and the reason"
    exit
fi

boot hotplug,20 --psci user --cpus 4
is "$status" 0 "SYSTEM_OFF: status 0"
is "$(guest rounds)" 20 "20 rounds of CPU_OFF and CPU_ON on three CPUs"
is "$(guest online)" 0-3 "all are online again"
like "$console" 'GUEST online' "the guest lives on"

truncate -s 1M count.img
boot reboot,2 --psci user --cpus 2 --disk count.img
is "$status" 0 "SYSTEM_RESET: the guest reboots, then powers off"
is "$(grep -c 'GUEST boot=' "$console")" 3 "three boots"
