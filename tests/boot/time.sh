#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Suspend and wake up, stolen time, the host's clock, and machines on chosen CPUs.
# limit: 600
# shellcheck source=tests/host/lib.sh
. "$LIB"

# PSCI SYSTEM_SUSPEND: the second CPU goes off, the first sleeps until the clock's alarm, and both come back.
# shellcheck disable=SC2016  # for the guest
run_exec --cpus 2 -- sh -c 'cat /sys/power/mem_sleep
    before=$(cat /sys/class/rtc/rtc0/since_epoch)
    echo +3 > /sys/class/rtc/rtc0/wakealarm
    echo mem > /sys/power/state && echo awake with $(nproc) after $(($(cat /sys/class/rtc/rtc0/since_epoch) - before))
    cat /sys/power/suspend_stats/success'
is "$status" 0 "a guest suspends"
like out '\[deep\]' "as deep as there is"
like out '^awake with 2 after ([3-9]|[1-9][0-9])$' "the alarm wakes it, with both CPUs"
like out '^1$' "Linux counts it as a success"

# The same by our own PSCI, where there is a filter to bring it here.
if [ "$KIND" != k61 ]; then
    # shellcheck disable=SC2016
    run_exec --cpus 2 --psci user -- sh -c 'echo +2 > /sys/class/rtc/rtc0/wakealarm; echo mem > /sys/power/state && echo awake with $(nproc)'
    is "$status" 0 "--psci user: a guest suspends"
    like out '^awake with 2$' "--psci user: and wakes up"
fi

# shellcheck disable=SC2016
run_exec -- sh -c 'dmesg | grep -i "stolen time"; cat /sys/class/ptp/ptp0/clock_name; cat /proc/uptime; tr "\0" "\n" < /proc/device-tree/hypervisor/compatible'
like out '^linux,kvm$' "the device tree says what the guest runs under, where systemd-detect-virt and lscpu look"
is "$status" 0 "a guest looks at its clocks"
like out 'using stolen time PV' "it is told of stolen time"
like out 'KVM virtual PTP' "and has the host's clock as a PTP clock"

run_exec --cpu host,steal-time=off -- sh -c 'dmesg | grep -i "stolen time"; true'
is "$status" 0 "without an account of stolen time: status 0"
unlike out 'using stolen time PV' "and it is not told of any"

run_exec --cpus 2 --pin 0,1 -- nproc
is "$status" 0 "a CPU for each vCPU"
run_exec --cpus 2 --pin auto -- nproc
is "$status" 0 "CPUs of one kind"
run_exec --pin 63 -- true
isnt "$status" 0 "a CPU that is not there"
like "$errors" 'may not run on CPU 63' "is said to be none of ours"
