# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Counts of KVM's tracepoints, by the kernel's own histograms (sourced, not run). They see every guest of the host, whoever runs it, so there must be but one.
tracing=/sys/kernel/tracing
instance=$tracing/instances/eret-bench

hist_exits='hist:keys=ret,esr_ec'
hist_userspace='hist:keys=reason'
hist_mmio='hist:keys=type,gpa.hex:size=8192'
hist_aborts='hist:keys=hsr.hex'
# The monitors' threads, by their names; what the vCPUs' do is left out: ioctl, and each exit to userspace is one.
hist_calls='hist:keys=id if id != 29 && (COMM ~ "virtio-*" || COMM ~ "qemu-*" || COMM ~ "IO *")'
calls=$tracing/events/raw_syscalls/sys_enter
counts_calls= # not empty: system calls are counted, too

# Prints why nothing can be counted here; nothing if it can.
why_no_trace() {
    [ -e $tracing/trace ] || mount -t tracefs nodev $tracing 2> /dev/null
    if [ "$(id -u)" != 0 ]; then
        echo "counting needs root"
    elif ! [ -e $tracing/events/kvm/kvm_exit/hist ]; then
        echo "this kernel has no histograms of its tracepoints"
    fi
}

trigger() { echo "$2" > "$tracing/events/kvm/$1/trigger"; }

# Counting starts from zero.
trace_begin() {
    trigger kvm_exit "$hist_exits"
    trigger kvm_userspace_exit "$hist_userspace"
    trigger kvm_mmio "$hist_mmio"
    trigger kvm_guest_fault "$hist_aborts"
    [ -z "$counts_calls" ] || echo "$hist_calls" > $calls/trigger || counts_calls=
}

# Leaves NAME.exits, NAME.userspace, NAME.mmio, NAME.aborts, NAME.calls: lines of hist.awk.
trace_read() {
    awk -f "$BENCH/hist.awk" $tracing/events/kvm/kvm_exit/hist > "$1.exits"
    awk -f "$BENCH/hist.awk" $tracing/events/kvm/kvm_userspace_exit/hist > "$1.userspace"
    awk -f "$BENCH/hist.awk" $tracing/events/kvm/kvm_mmio/hist > "$1.mmio"
    awk -f "$BENCH/hist.awk" $tracing/events/kvm/kvm_guest_fault/hist > "$1.aborts"
    : > "$1.calls"
    [ -z "$counts_calls" ] || awk -f "$BENCH/hist.awk" $calls/hist > "$1.calls"
}

trace_end() {
    trigger kvm_exit "!$hist_exits" 2> /dev/null
    trigger kvm_userspace_exit "!$hist_userspace" 2> /dev/null
    trigger kvm_mmio "!$hist_mmio" 2> /dev/null
    trigger kvm_guest_fault "!$hist_aborts" 2> /dev/null
    echo "!$hist_calls" 2> /dev/null > $calls/trigger
}

# total FILE [CONDITION]: the sum of the counts, of the lines for which an awk condition holds.
total() { awk "${2:-1}"' { n += $NF } END { print n + 0 }' "$1"; }

# counted COMMAND...: the guest (lib.sh) carries it out; leaves counts.* as trace_read does, if there is no $reason why not.
counted() {
    [ -n "$reason" ] || trace_begin
    tell "$@"
    [ -n "$reason" ] || {
        trace_read counts
        trace_end
    }
}

# count_details FIGURE SUBJECT: what is in counts.*: exits by reason, those to userspace by device, and by register.
count_details() {
    awk -v per=device -f "$BENCH/regions.awk" counts.mmio | while read -r count name; do
        detail "$1.userspace" "$2" "$name" "$count"
    done
    awk '$1 != 6' counts.userspace | while read -r exit count; do
        detail "$1.userspace" "$2" "$(exit_name "$exit")" "$count"
    done
    awk -v per=register -f "$BENCH/regions.awk" counts.mmio | while read -r count name; do
        detail "$1.registers" "$2" "$name" "$count"
    done
    while read -r ret class count; do
        case $ret in
        0) detail "$1.exits" "$2" "interrupts" "$count" ;;
        *) detail "$1.exits" "$2" "$(class_name "$class")" "$count" ;;
        esac
    done < counts.exits
}

# call_details FIGURE SUBJECT: the system calls of counts.*, by name.
call_details() {
    while read -r number count; do
        detail "$1" "$2" "$(call_name "$number")" "$count"
    done < counts.calls
}

# Linux: include/uapi/asm-generic/unistd.h
call_name() {
    case $1 in
    22) echo epoll_pwait ;;
    63) echo read ;;
    64) echo write ;;
    69) echo preadv ;;
    70) echo pwritev ;;
    73) echo ppoll ;;
    83) echo fdatasync ;;
    98) echo futex ;;
    426) echo io_uring_enter ;;
    *) echo "system call $1" ;;
    esac
}

# Linux: include/uapi/linux/kvm.h, KVM_EXIT_ ...
exit_name() {
    case $1 in
    3) echo hypercall ;;
    10) echo signal ;;
    24) echo "system event" ;;
    28) echo "no syndrome" ;;
    *) echo "exit reason $1" ;;
    esac
}

# Arm ARM, ESR_ELx.EC.
class_name() {
    case $1 in
    1) echo WFI ;;
    22) echo HVC ;;
    24) echo "system registers" ;;
    32) echo "instruction aborts" ;;
    36) echo "data aborts" ;;
    *) echo "exception class $1" ;;
    esac
}

# The first entry into a guest: an instance of its own, whose small buffer keeps what came first.
entry_begin() {
    mkdir -p "$instance"
    echo mono > "$instance/trace_clock"
    echo 0 > "$instance/options/overwrite"
    echo 64 > "$instance/buffer_size_kb"
    echo > "$instance/trace"
    echo 1 > "$instance/events/sched/sched_process_exec/enable"
    echo 1 > "$instance/events/kvm/kvm_entry/enable"
    echo 1 > "$instance/tracing_on"
}

# entry_end PROGRAM: nanoseconds from its exec to the first entry, or nothing.
entry_end() {
    echo 0 > "$instance/tracing_on"
    awk -v program="$1" -f "$BENCH/first-entry.awk" "$instance/trace"
    rmdir "$instance"
}
