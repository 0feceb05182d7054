#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Debian's kernel with pages of 16 KiB: the disk and its io_uring, both transports, the doorbell page, reboot.
# shellcheck source=tests/host/lib.sh
. "$LIB"

kernel=7.3-16k
[ -e "$KERNELS/$kernel/Image" ] || skip_all "the kernel of 16 KiB pages is for hosts of such pages"
cp "$FIXTURES/ext4.img" disk.img
boot disk,4 --cpus 2 --rng --disk disk.img
is "$status" 0 "the guest powers off, status 0"
like "$console" 'GUEST sha256=[0-9a-f]{64}' "its disk works"
boot disk,1 --transport mmio --console virtio --disk disk.img
is "$status" 0 "with virtio-mmio"
like "$console" 'GUEST sha256=[0-9a-f]{64}' "its disk works there"
boot boot --cpus 2
is "$status" 0 "a look at its messages"
no_warnings "the kernel warns of nothing"
is "$(guest cpus)" 2 "both vCPUs are online"

# This kernel has a driver for the power button as a key, which wakes it up.
start_boot suspend --cpus 2
if wait_console 'GUEST suspending' 100; then
    sleep 4
    unlike "$console" 'GUEST awake' "it sleeps"
    kill -TERM "$pid"
    wait_console 'GUEST awake' 60 && passed "the power button wakes it up"
fi
finish_eret 60
is "$status" 0 "and it powers off"
