#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A guest that has taken over the device model tries to get out, as eret with two devices of tests/host/break-out.c in
# place of its own: on the vCPU's thread, and on a device's. What it asks the kernel for is not carried out, and ends
# the machine.
# limit: 600
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

# Without the sandbox nothing of it would be stopped: these tests can fail.
export ERET_BREAK_OUT=open
run_eret --timeout 60 --kernel "$GUESTS/ring" --transport mmio --rng --sandbox off
like "$errors" '^open was not stopped$' "--sandbox off: it is done"
run_eret --timeout 60 --kernel "$GUESTS/ring" --transport mmio --rng --sandbox log
like "$errors" 'thread virtio-rng asked for openat\(.*; a rule: CALL\(openat, CAGE_DEVICE' "--sandbox log: it is said"
like "$errors" '^open was not stopped$' "and done"
