# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# What the measurements are written with (sourced, not run). Busybox sh in the emulated host, dash elsewhere. They run where the guests do, and say what they have seen
# in lines of tab-separated words, which bench.sh keeps and bench-report reads:
#
#   sample FIGURE SUBJECT VALUE           one value of one round; SUBJECT: eret, qemu, minimal, packed
#   detail FIGURE SUBJECT NAME VALUE      what a value consists of
#   none   FIGURE SUBJECT REASON          why there is no value
#   info   KEY VALUE                      what the whole run was made with
#   progress TEXT                         for whoever waits
#
# From run.sh: BENCH (this directory), ERET, QEMU, LIBRARIES (QEMU's), KERNEL, INITRD, TOOLS, FIRMWARE, ROUNDS.
tab=$(printf '\t')

emit() {
    kind=$1
    shift
    line=$kind
    for word; do line=$line$tab$word; done
    printf '%s\n' "$line"
}
sample() { emit sample "$@"; }
detail() { emit detail "$@"; }
none() { emit none "$@"; }
info() { emit info "$@"; }
progress() { emit progress "$*"; }

# --- the monitors ------------------------------------------------------------------------------------------------------------------

# vmm_SUBJECT CONSOLE MIB DISK ARGUMENTS [COMMAND...]: a guest with its console on pl011 or virtio, so much memory, a disk image or -, and these boot arguments; run by
# a command in front of it. Besides, what these two say:
#   $firmware   what it starts in instead of the kernel, without arguments; $variables: the file of its variables, or nothing
#   $cpus    vCPUs, 1 unless it is said
#   $disk_queues   nothing: the disk is as it is without being told; else it has so many queues, with a thread each, and QEMU has io_uring, too
#   $disk_throwaway   not empty: the image stays as it is, whatever the guest writes
#   $cards   network cards, each as TAP:VHOST (on, off)     $socket   a file if it is to have a vsock device: eret's is behind sockets of that name, QEMU's the kernel's
cpus=1
disk_queues=
disk_throwaway=
cards=
socket=
firmware=
variables=
vmm_eret() {
    console=$1 memory=$2 disk=$3 append=$4
    shift 4
    set -- "$@" "$ERET" run --cpus "$cpus" --memory "${memory}M" --console "$console"
    if [ -n "$firmware" ]; then
        set -- "$@" --firmware "$firmware${variables:+,vars=$variables}"
    else
        set -- "$@" --kernel "$KERNEL" --initrd "$INITRD" --append "$append"
    fi
    [ "$disk" = - ] || set -- "$@" --disk "$disk${disk_queues:+,queues=$disk_queues}${disk_throwaway:+,cow}"
    for card in $cards; do set -- "$@" --net "tap=${card%:*},vhost=${card#*:}"; done
    [ -z "$socket" ] || set -- "$@" --vsock "3,unix=$socket"
    "$@"
}

# A thread that looks again and again takes from a single CPU what the guest would need to go on; with more, it is QEMU's own choice.
if [ "$(nproc)" = 1 ]; then polling=,poll-max-ns=0; else polling=; fi

vmm_qemu() {
    console=$1 memory=$2 disk=$3 append=$4
    shift 4
    set -- with_libraries "$@" "$QEMU" -M virt,gic-version=host -accel kvm -cpu host -smp "$cpus" -m "${memory}M" -nodefaults -display none -no-reboot
    if [ -n "$firmware" ]; then
        # A flash wants a file of its size.
        if [ -n "$variables" ]; then
            set -- "$@" -drive "if=pflash,format=raw,readonly=on,file=$firmware" -drive "if=pflash,format=raw,file=$variables"
        else
            set -- "$@" -bios "$firmware"
        fi
    else
        set -- "$@" -kernel "$KERNEL" -initrd "$INITRD" -append "$append console=$(console_name "$console")"
    fi
    case $console in
    pl011) set -- "$@" -serial stdio ;;
    virtio) set -- "$@" -chardev stdio,id=console,signal=off -device virtio-serial-pci,max_ports=1 -device virtconsole,chardev=console ;;
    esac
    if [ "$disk" != - ]; then
        set -- "$@" -drive "if=none,id=disk,format=raw,file=$disk${disk_queues:+,aio=io_uring}${disk_throwaway:+,snapshot=on}"
        if [ -z "$disk_queues" ]; then
            set -- "$@" -device virtio-blk-pci,drive=disk
        else
            mapping=
            for number in $(seq "$disk_queues"); do
                set -- "$@" -object "iothread,id=io$number$polling"
                mapping="$mapping${mapping:+,}{\"iothread\":\"io$number\"}"
            done
            set -- "$@" -device "{\"driver\":\"virtio-blk-pci\",\"drive\":\"disk\",\"num-queues\":$disk_queues,\"iothread-vq-mapping\":[$mapping]}"
        fi
    fi
    for card in $cards; do
        set -- "$@" -netdev "tap,id=${card%:*},ifname=${card%:*},script=no,downscript=no,vhost=${card#*:}" -device "virtio-net-pci,netdev=${card%:*},romfile="
    done
    [ -z "$socket" ] || set -- "$@" -device vhost-vsock-pci,guest-cid=3
    "$@"
}

# with_libraries COMMAND...: QEMU's, not those that eret has been given.
with_libraries() {
    others=${LD_LIBRARY_PATH-}
    export LD_LIBRARY_PATH="$LIBRARIES"
    "$@"
    ended=$?
    if [ -n "$others" ]; then LD_LIBRARY_PATH=$others; else unset LD_LIBRARY_PATH; fi
    return $ended
}

console_name() { if [ "$1" = pl011 ]; then echo ttyAMA0; else echo hvc0; fi; }
program_name() { if [ "$1" = eret ]; then echo eret; else echo qemu-system-aarch64; fi; }

# subjects: the monitors that are here.
subjects() { if [ -x "$QEMU" ]; then echo eret qemu; else echo eret; fi; }

# make_tap NAME ADDRESS: for a network card, with the host's address on it.
make_tap() { "$TOOLS/net-load" tap "$1" && ip addr add "$2/24" dev "$1" && ip link set "$1" up; }

# --- a guest that one talks to -----------------------------------------------------------------------------------------------------

# open_guest SUBJECT CONSOLE MEMORY DISK: leaves its process in $pid, its console in $guest_out. False: it has not come up.
guests=0
pid=
open_guest() {
    guests=$((guests + 1))
    guest_in=keyboard.$guests guest_out=console.$guests lines=0
    rm -f "$guest_in" "$guest_out"
    mkfifo "$guest_in"
    : > "$guest_out"
    # Open for writing, too: the guest never sees an end of its input.
    "vmm_$1" "$2" "$3" "$4" "quiet bench=serve" exec <> "$guest_in" >> "$guest_out" 2> "errors.$guests" &
    pid=$!
    await_guest 'BENCH up' 1
}

# park_guest NAME: stands still, so that another one can be measured; recall_guest NAME: is the one to be told again.
park_guest() {
    kill -STOP "$pid"
    echo "$pid ${guest_out#console.}" > "parked.$1"
}
recall_guest() {
    read -r pid number < "parked.$1" || return
    guest_in=keyboard.$number guest_out=console.$number
    forget
    kill -CONT "$pid"
}

# await_guest TEXT TIMES
await_guest() {
    tries=0
    until [ "$(grep -c "$1" "$guest_out")" -ge "$2" ]; do
        tries=$((tries + 1))
        if [ "$tries" -gt 600 ] || ! kill -0 "$pid" 2> /dev/null; then
            return 1
        fi
        sleep 0.2
    done
}

# tell COMMAND...: the guest's shell carries it out; returns when it has.
tell() {
    lines=$((lines + 1))
    printf '%s\n' "$*" > "$guest_in"
    await_guest 'BENCH done' "$lines"
}

# said WORD: the number that the guest has last printed after "BENCH WORD".
said() { tr -d '\r' < "$guest_out" | sed -n "s/^.*BENCH $1 //p" | tail -n 1; }

# forget: of what the guest has said.
forget() {
    : > "$guest_out"
    lines=0
}

close_guest() {
    kill -KILL "$pid" 2> /dev/null
    wait "$pid" 2> /dev/null
}

# last_line: the last thing that the guest or its monitor has said.
last_line() { cat "$guest_out" errors."${guest_out#console.}" | tr -cd ' -~\n' | tail -n 1 | cut -c 1-100; }
why_not_up() { echo "the guest of $1 has not come up: $(last_line)"; }
