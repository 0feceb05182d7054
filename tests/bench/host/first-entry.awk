# SPDX-License-Identifier: Apache-2.0
# From a trace with the clock `mono`: nanoseconds between the first exec of a program whose name ends with program= and the first entry into a guest after it. Nothing
# if one of them is missing.
#
#   eret-101 [001] ..... 52.104533: sched_process_exec: filename=/share/eret pid=101 old_pid=101
#   vcpu0-104 [001] d.... 52.161007: kvm_entry: PC: 0x0000000040200000
function stamp(    i) {
    for (i = 1; i <= NF; i++)
        if ($i ~ /^[0-9]+\.[0-9]+:$/) return $i + 0
}
/ sched_process_exec: / && !begun {
    if ($0 ~ ("filename=[^ ]*" program " ")) begun = stamp()
}
/ kvm_entry: / && begun {
    printf "%.0f\n", (stamp() - begun) * 1000000000
    exit
}
