#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What someone who has taken over a running eret finds: no descriptor that a child would inherit, no /dev/kvm to make
# another VM of, no memory to write code into. What the program's file says of itself is tests/board/binary.sh's.
# root
# shellcheck source=tests/host/lib.sh
. "$LIB"

# Descriptors that a program would inherit: flags are octal, O_CLOEXEC is 02000000.
inheritable() {
    for info in "/proc/$pid/fdinfo/"*; do
        fd=${info##*/}
        flags=$(sed -n 's/^flags:[^0-9]*//p' "$info")
        [ "$fd" -le 2 ] || [ $((flags & 02000000)) != 0 ] || echo "$fd: $(readlink "/proc/$pid/fd/$fd")"
    done
}
# Those that are there at each of three looks. libtracefs has the kernel's buffers open for a moment while it reads them,
# without the flag; no program is started meanwhile.
inherited() {
    inheritable | sort > looks
    for _ in 1 2; do
        sleep 0.3
        inheritable | sort > look
        grep -Fxf look looks > both
        mv both looks
    done
    cat looks
}
open_files() { for fd in "/proc/$pid/fd/"*; do readlink "$fd"; done; }

# Threads by name, and whether they have a filter of system calls (2) or none (0).
filtered() {
    for task in "/proc/$pid/task/"*; do
        echo "$(cat "$task/comm") $(sed -n 's/^Seccomp:[^0-9]*//p' "$task/status")"
    done
}

# Of all threads, a line of the kernel's.
of_status() {
    for task in "/proc/$pid/task/"*; do sed -n "s/^$1:[^0-9a-f]*//p" "$task/status"; done
}

cp "$FIXTURES/ext4.img" disk.img
tracing=/sys/kernel/tracing
[ -e $tracing/trace ] || mount -t tracefs nodev $tracing 2> /dev/null
"$GUESTS/hypercall-server" calls.sock > server.log 2>&1 &
server=$!
tries=0
until [ -S calls.sock ] || [ "$tries" -ge 50 ]; do sleep 0.2; tries=$((tries + 1)); done

start_boot idle --no-reboot --cpus 2 --memory 256M --console virtio --disk disk.img --rng --record trace.rec --stats=stats.json \
    --hypercall 0xc2000000+16=unix:calls.sock
wait_console 'GUEST idle' 120 || exit
open_files > files
like files 'disk\.img$' "a disk"
like files 'socket:' "a connection to a server"
like files 'kvm-vcpu' "and a VM are open"
is "$(filtered | sort -u)" "$(printf '%s\n' 'eret 2' 'recorder 2' 'threads 2' 'vcpu0 2' 'vcpu1 2' 'virtio-blk0 2' 'virtio-blk0-q1 2' 'virtio-console 2' 'virtio-rng 2')" \
    "all threads have system-call filters"
is "$(of_status Seccomp_filters | sort -u | tr '\n' ' ')" "1 2 " "those that the guest gives work to have one of their own"
is "$(of_status NoNewPrivs | sort -u)" 1 "no program would give one more rights"
# CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER: this is root's.
is "$(of_status CapEff | sort -u)" 000000000000000b "of root's capabilities there are those by which it writes reports"
is "$(of_status CapBnd | sort -u)" 0000000000000000 "and no others are to be had"
for kind in mnt net ipc uts; do
    isnt "$(readlink "/proc/$pid/ns/$kind")" "$(readlink "/proc/self/ns/$kind")" "it has a namespace of its own: $kind"
done
is "$(for name in bin dev etc lib share usr; do ls -d "/proc/$pid/root/$name" 2> /dev/null; done)" "" "and nothing of the host in its root directory"
is "$(inherited)" "" "every descriptor is close-on-exec"
unlike files '^/dev/kvm$' "--no-reboot: /dev/kvm is closed once the VM is made"
unlike "/proc/$pid/maps" '^[^ ]+ .wx' "no memory can be written and executed"
grep '/eret$' "/proc/$pid/maps" > own
is "$(grep -c ' rw-p ' own)" 1 "of the program itself only its data can be written, after libraries were loaded lazily"
like "/proc/$pid/maps" 'lib(uring|tracefs)\.' "which they were"
# The flag of pages with guarded branches, where the CPU has them.
if grep -qw bti /proc/cpuinfo; then
    awk '/^[0-9a-f]+-/ { own = $6 ~ /\/eret$/ && $2 ~ /x/ } own && /^VmFlags:/' "/proc/$pid/smaps" > flags
    like flags ' bt( |$)' "branches into its code are guarded"
fi
kill -TERM "$pid"
finish_eret 60
is "$status" 0 "it powers off, status 0"
kill -KILL "$server"

start_boot idle --sandbox off --memory 256M
wait_console 'GUEST idle' 120 || exit
open_files > files
like files '^/dev/kvm$' "where a reboot may come /dev/kvm stays open"
is "$(inherited)" "" "close-on-exec too"
is "$(filtered)" "$(printf '%s\n' 'eret 0' 'vcpu0 0')" "--sandbox off: none has a filter"
kill -KILL "$pid"
finish_eret 10

for mode in log require; do
    run_eret --kernel "$GUESTS/hello.elf" --sandbox $mode
    is "$status $(cat "$errors")" "0 " "--sandbox $mode: nothing is missing"
done
