#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The truth of a recording: --record, --stats and the kernel's own histogram of its tracepoints count the same switches of the same machine.
# root
# serial
# limit: 600
# shellcheck source=tests/host/lib.sh
. "$LIB"

tracing=/sys/kernel/tracing
[ -e $tracing/trace ] || mount -t tracefs nodev $tracing 2> /dev/null
[ -e $tracing/events/kvm/kvm_exit/hist ] || skip_all "this kernel has no histograms of its tracepoints"

exits='hist:keys=common_pid,ret,esr_ec'
userspace='hist:keys=common_pid,reason'
echo "$exits" > $tracing/events/kvm/kvm_exit/trigger
echo "$userspace" > $tracing/events/kvm/kvm_userspace_exit/trigger

truncate -s 8M disk.img
start_boot boot --cpus 2 --disk disk.img --stats=stats.json --record trace.rec
threads=
i=0
until [ "$(echo "$threads" | wc -w)" = 2 ] || [ $i = 300 ]; do
    threads=$(grep -l '^vcpu' /proc/"$pid"/task/*/comm 2> /dev/null | cut -d/ -f5 | tr '\n' ' ')
    i=$((i + 1))
    sleep 0.1
done
finish_eret 200
is "$status" 0 "the guest powers off, status 0"
cat $tracing/events/kvm/kvm_exit/hist > exits.hist
cat $tracing/events/kvm/kvm_userspace_exit/hist > userspace.hist
echo "!$exits" > $tracing/events/kvm/kvm_exit/trigger
echo "!$userspace" > $tracing/events/kvm/kvm_userspace_exit/trigger
is "$(ls $tracing/instances)" "" "no trace instance is left behind"

# hist FILE CONDITION: how many hits of our threads; keys are $ret, $ec, $reason.
hist() {
    tr -d '{},' < "$1" | awk -v threads=" $threads" '/hitcount/ {
        for (i = 1; i < NF; i++) if ($i ~ /:$/) value[$i] = $(i + 1)
        ret = value["ret:"]; ec = value["esr_ec:"]; reason = value["reason:"]
        if (index(threads, " " value["common_pid:"] " ") && ('"$2"')) n += value["hitcount:"]
    } END { print n + 0 }'
}

"$ERET" trace trace.rec > summary
recorded() { awk -v key="$1" '$1 == key { n = $2 } END { print n + 0 }' summary; }
# statistic NAME: of all vCPUs together.
statistic() { awk -v name="\"$1\"" '/^  "total"/ { total = 1 } total && $1 == name { sub(/,/, "", $3); print $3; exit }' stats.json; }

isnt "$(hist exits.hist 1)" 0 "the kernel has seen exits"
is "$(recorded kvm_exit)" "$(hist exits.hist 1)" "recorded exits: those of the kernel's histogram"
is "$(statistic exits | head -n 1)" "$(hist userspace.hist 1)" "counted exits to userspace: those of the histogram"
is "$(recorded kvm_userspace_exit)" "$(hist userspace.hist 1)" "recorded exits to userspace: those of the histogram"
is "$(awk '/^  "total"/ { total = 1 } total && /"kvm"/ { kvm = 1 } kvm && $1 == "\"exits\"" { sub(/,/, "", $3); print $3; exit }' stats.json)" \
    "$(hist exits.hist 1)" "KVM's own counter of exits, as --stats shows it: the same"
is "$(recorded kvm_exit:IRQ)" "$(hist exits.hist 'ret == 0')" "interrupts of the host: the same"
for class in 0x01:WFX 0x16:HVC64 0x18:SYS64 0x20:IABT_LOW 0x24:DABT_LOW; do
    number=$((${class%%:*}))
    is "$(awk -v key="kvm_exit:${class%%:*}:" 'index($1, key) == 1 { n += $2 } END { print n + 0 }' summary)" \
        "$(hist exits.hist "ret == 2 && ec == $number")" "exceptions of class $class: the same"
done
is "$(recorded kvm_userspace_exit:KVM_EXIT_MMIO)" "$(hist userspace.hist 'reason == 6')" "MMIO exits: the same"
is "$(statistic hvc_exit_stat)" "$(hist exits.hist 'ret == 2 && ec == 22')" "KVM's counter of HVC: the same"
like summary 'lost +nothing' "nothing was lost"
check "the guest's kernel has its version" grep -qF "Linux $(basename "$KERNELS"/6.12/lib/modules/*) (arm64 Image)" summary

"$ERET" trace trace.rec --chrome chrome.json --html page.html --explain > explained
is "$?" 0 "it can be explained, drawn, and shown"
like explained 'PSCI CPU_ON' "the second CPU is turned on"
like explained 'pl011 UARTDR' "the console is written to"
like explained 'virtio-blk0' "the disk is used"
check "Chrome's format has a slice for it" grep -q '"ph":"X"' chrome.json
check "the page has a timeline" grep -q '<canvas' page.html

# A guest that reboots: the recording, and the counts, go over both boots.
boot reboot,1 --disk disk.img --stats=stats.json --record trace.rec
is "$status" 0 "a guest that reboots: status 0"
"$ERET" trace trace.rec > summary
like summary 'reboot' "its recording has the reboot"
is "$(recorded kvm_exit)" "$(awk '/^  "total"/ { total = 1 } total && /"kvm"/ { kvm = 1 } kvm && $1 == "\"exits\"" { sub(/,/, "", $3); print $3; exit }' stats.json)" \
    "recorded exits of both boots: KVM's counters of both"

# Names for the guest's code, from one boot, for the recording of another, whose kernel has chosen other addresses (KASLR).
truncate -s 32M symbols.img
boot kallsyms --disk symbols.img
isnt "$(guest symbols)" "" "the guest gives its symbols away"
tr -d '\000' < symbols.img > kallsyms
boot boot --record other.rec
"$ERET" trace other.rec --explain --symbols kallsyms > explained
is "$?" 0 "a kernel's own list of its symbols can be read"
like explained 'HVC #0 at 0x[0-9a-f]+ \(__arm_smccc_hvc' "HVC is executed in the kernel's function for it"
like explained '\(pl011_[a-z_]+.*pl011 UARTDR' "the UART is written to by its driver"
here=$(sed -n 's/.*HVC #0 at 0x\([0-9a-f]*\) (__arm_smccc_hvc.*/\1/p' explained | head -n 1)
isnt "$here" "" "with its address"
unlike kallsyms "^$here " "in a kernel that runs elsewhere than the one which gave the symbols"

# Without the right to trace: eret's own events alone, and it says why.
if [ "$KIND" = native ]; then
    skip "without privilege" "this machine's own permissions are left alone"
else
    chmod 666 /dev/kvm
    chmod 777 .
    as='start-stop-daemon -S -q -p none -c nobody -x /bin/env --'
    run_eret --kernel "$GUESTS/hello.elf" --record own.rec
    as=
    chmod 600 /dev/kvm
    is "$status" 0 "without privilege: the guest runs"
    like "$errors" "only eret's own events are recorded.*root" "and it is said what is missing"
    "$ERET" trace own.rec > summary
    like summary 'not recorded' "the summary says it too"
    "$ERET" trace own.rec --explain > explained
    like explained 'pl011 UARTDR' "eret's own events are there"
fi

# Killed outright, eret leaves a recording that is good as far as it goes, and an instance that the next one removes.
start_boot idle --record cut.rec
wait_console 'GUEST idle' 120 || exit
idle=$pid
instance=$(ls $tracing/instances)
# One in another PID namespace, where the first one's number is nobody's, takes it for no leftover.
as='unshare -p -f --mount-proc'
run_eret --kernel "$GUESTS/hello.elf" --record inner.rec
as=
is "$status" 0 "in another PID namespace: the guest runs"
is "$(ls $tracing/instances)" "$instance" "and the trace instance of who lives outside stays"
# Nor is it there by the number that the kernel's tracepoints have for it.
"$ERET" trace inner.rec > summary
isnt "$(recorded kvm_exit)" 0 "and its own exits are recorded"
"$ERET" trace inner.rec --explain > explained
like explained '^vcpu0 #.*HVC #0' "as those of its vCPU"
kill -KILL "$idle"
pid=$idle
finish_eret 20
isnt "$(ls $tracing/instances)" "" "killed: its trace instance is still there"
"$ERET" trace cut.rec > summary
is "$?" 0 "its recording can be read"
isnt "$(recorded kvm_exit)" 0 "and has exits"
run_eret --kernel "$GUESTS/hello.elf" --record next.rec
is "$status" 0 "the next one runs"
is "$(ls $tracing/instances)" "" "and has cleaned up"
