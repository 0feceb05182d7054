#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What a disk is made of: queues, sectors of one size or another, what the host does for it, and how fast it may be.
# limit: 600
# shellcheck source=tests/host/lib.sh
. "$LIB"

cp "$FIXTURES/ext4.img" first.img
cp "$FIXTURES/ext4.img" second.img
boot disk-options --disk first.img,ro --disk second.img
is "$(guest vda-queues)" 1 "one CPU, one queue"
boot disk-options --cpus 5 --disk first.img,ro --disk second.img,queues=2
is "$status" 0 "five CPUs: the guest powers off, status 0"
is "$(guest vda-queues)" 4 "five CPUs: four queues"
is "$(guest vdb-queues)" 2 "or as many as were asked for"
is "$(guest hello)" "hello from the host" "and they are served"

# Sizes that are no whole sectors, and sectors of another size.
printf '%01000d' 0 > odd.img
boot disk-options --disk odd.img --disk second.img,block-size=4096
is "$status" 0 "an odd size: the guest powers off, status 0"
is "$(guest vda-sectors)" 2 "an odd size: of the last sector nothing is lost"
like "$errors" "disk image odd\.img has 1000 bytes, and the guest's disk 1024" "an odd size: it is said what becomes of it"
is "$(guest vda-write)" accepted "an odd size: the disk can be written"
like odd.img '^written by the guest' "an odd size: and is"
is "$(guest vda-block) $(guest vdb-block)" "512 4096" "the size of sectors is one's to choose"
is "$(guest vdb-write)" accepted "and such a disk can be written"

# Past the host's page cache.
cp "$FIXTURES/ext4.img" direct.img
boot disk,8 --disk direct.img,direct --cpus 2
is "$status" 0 "direct: the guest powers off, status 0"
sum=$(guest sha256)
boot disk-check --disk direct.img,direct
like "$console" 'GUEST sha256=[0-9a-f]{64}' "direct: the next guest reads it"
is "$(guest sha256)" "$sum" "direct: and finds what was written"

# A block device, which the host must not use at the same time.
if [ "$(id -u)" != 0 ]; then
    skip "a block device" "root has block devices"
else
    cp "$FIXTURES/ext4.img" device.img
    losetup -f "$PWD/device.img"
    device=$(losetup -a | grep -F "$PWD/device.img" | cut -d : -f 1)
    boot disk,1 --disk "$device,direct"
    is "$status" 0 "a block device: the guest powers off, status 0"
    like "$console" 'GUEST sha256=[0-9a-f]{64}' "a block device: it has written 1 MiB"
    mkdir mnt
    check "a block device: the host finds a file system on it" mount -t ext4 "$device" mnt
    run_eret --kernel "$KERNELS/6.12/Image" --disk "$device"
    is "$status" 1 "a block device: while it is mounted, it is not to be had"
    like "$errors" 'is in use by the host, which has mounted it' "a block device: and it is said why"
    umount mnt
    losetup -d "$device"
fi

# A rate limit: what is written at once has to wait, and all of it comes through.
cp "$FIXTURES/ext4.img" limited.img
boot disk,1 --disk limited.img,bps=256K,iops=100 --stats=stats.json
is "$status" 0 "limited: the guest powers off, status 0"
like "$console" 'GUEST sha256=[0-9a-f]{64}' "limited: it has written 1 MiB"
like stats.json 'waited for its rate limit' "limited: the statistics say that it waited"
