#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A guest that has taken over the device model tries to get out, as eret with two devices of tests/host/break-out.c in
# place of its own: on the vCPU's thread, and on a device's. What it asks the kernel for is not carried out, and ends
# the machine.
# limit: 600
# breaks out
# shellcheck source=tests/host/lib.sh
. "$LIB"
ERET=$GUESTS/eret-break-out

# What is tried, and by which call.
attempts='open openat
connect socket
fork clone
exec execve
ptrace ptrace
memory process_vm_readv
kvm ioctl
mount mount
kill kill
thread tgkill
setuid setuid
code mmap
ring io_uring_setup
unlink unlinkat
unshare unshare'

# tries THREAD GUEST OPTION...
tries() {
    thread=$1 guest=$2
    shift 2
    while read -r attempt call; do
        export ERET_BREAK_OUT="$attempt"
        run_eret --kernel "$guest" --sandbox require "$@"
        is "$status" 148 "$thread: $attempt: status 148"
        like "$errors" "^eret: sandbox: thread $thread asked for $call\\(0x" "$thread: $attempt: which is said"
        unlike "$errors" 'was not stopped' "$thread: $attempt: it was not done"
    done << END
$attempts
END
}
tries vcpu0 "$GUESTS/accesses" --scratch
tries virtio-rng "$GUESTS/ring" --transport mmio --rng

# Of a machine that goes on when it has tried: until it says so.
lives_on() {
    start_eret --kernel "$GUESTS/ring" --transport mmio --rng "$@"
    deadline=$(($(date +%s) + 60))
    until grep -q 'was not stopped' "$errors" || [ "$(date +%s)" -ge "$deadline" ]; do usleep 100000; done
    kill -KILL "$pid"
    finish_eret 10
}

# Without the sandbox nothing of it would be stopped: these tests can fail.
export ERET_BREAK_OUT=open
lives_on --sandbox off
like "$errors" '^open was not stopped: done$' "--sandbox off: it is done"

# Where filters only log, what the other layers say of it.
while read -r attempt answer layer; do
    export ERET_BREAK_OUT="$attempt"
    lives_on --sandbox log
    like "$errors" 'thread virtio-rng asked for .*; a rule: CALL\(.*, CAGE_DEVICE' "--sandbox log: $attempt is said"
    like "$errors" "^$attempt was not stopped: $answer\$" "and held by $layer"
done << END
open ENOENT an empty root
exec ENOENT an empty root
connect ENETUNREACH namespaces
ptrace EPERM no privileges
memory EPERM no privileges
mount EPERM no privileges
setuid EPERM no privileges
unshare EPERM no privileges
kill EPERM Landlock
thread EPERM Landlock
END
