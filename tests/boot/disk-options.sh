#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Two disks: one read-only, each with its serial.
# shellcheck source=tests/host/lib.sh
. "$LIB"

cp "$FIXTURES/ext4.img" first.img
cp "$FIXTURES/ext4.img" second.img
before=$(sha256sum < first.img)
boot disk-options --disk first.img,ro,serial=ROCK-1 --disk second.img,serial=PAPER-2
is "$status" 0 "the guest powers off, status 0"
is "$(guest vda-serial)" ROCK-1 "the first disk's serial"
is "$(guest vdb-serial)" PAPER-2 "the second disk's serial"
is "$(guest vda-ro)" 1 "the first is read-only"
is "$(guest vdb-ro)" 0 "the second is not"
is "$(guest vda-write)" refused "the first refuses to be written"
is "$(guest vdb-write)" accepted "the second accepts it"
is "$(guest hello)" "hello from the host" "the first can be mounted and read"
is "$(sha256sum < first.img)" "$before" "the first's bytes on the host are unchanged"
like second.img '^written by the guest' "the second's bytes are the guest's"

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

# A rate limit: what is written at once has to wait, and all of it comes through.
cp "$FIXTURES/ext4.img" limited.img
boot disk,1 --disk limited.img,bps=256K,iops=100 --stats=stats.json
is "$status" 0 "limited: the guest powers off, status 0"
like "$console" 'GUEST sha256=[0-9a-f]{64}' "limited: it has written 1 MiB"
like stats.json 'waited for its rate limit' "limited: the statistics say that it waited"

chmod 444 first.img
if [ "$(id -u)" = 0 ]; then
    skip "a file that cannot be written needs ,ro" "root can write every file"
else
    boot disk-options --disk first.img
    is "$status" 1 "a file that cannot be written needs ,ro"
fi

# Two writers of one image.
start_boot idle --memory 256M --disk second.img
wait_console 'GUEST idle' 100
first=$pid first_console=$console
for other in second.img second.img,ro second.img,cow; do
    run_eret --kernel "$KERNELS/6.12/Image" --disk "$other"
    is "$status" 1 "an image that another machine writes is not to be had, $other"
    like "$errors" "second\.img is in use by process $first \(eret\)" "and it is said which machine that is, $other"
done
boot disk-options --memory 256M --disk second.img,ro,lock=off --disk first.img,ro
is "$status" 0 "unless it is asked for"
pid=$first console=$first_console
kill -KILL "$pid"
finish_eret 10
