#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Copy-on-write: the guest has a disk that it can write, and its file stays as it is.
# limit: 600
# root
# shellcheck source=tests/host/lib.sh
. "$LIB"

same() { is "$(sha256sum < "$1")" "$2" "$3"; }

cp "$FIXTURES/ext4.img" base.img
chmod 444 base.img
before=$(sha256sum < base.img)
boot disk,8 --disk base.img,cow --cpus 2
is "$status" 0 "the guest powers off, status 0"
like "$console" 'GUEST sha256=[0-9a-f]{64}' "it has mounted the disk, and written 8 MiB"
same base.img "$before" "the file is what it was"

boot disk-options --disk base.img,cow --disk base.img,cow,serial=PAPER-2
is "$(guest hello)" "hello from the host" "what is in the file can be read"
is "$(guest vda-ro) $(guest vda-write) $(guest vdb-write)" "0 accepted accepted" "two disks on one file can be written"
same base.img "$before" "the file is what it was"

# As long as the machine, and no longer.
truncate -s 1M count.img
for run in 1 2; do
    boot reboot,2 --disk count.img,cow
    is "$status" 0 "run $run: the guest powers off, status 0"
    is "$(tr -d '\r' < "$console" | grep -o 'GUEST boot=.' | tr '\n' ' ')" "GUEST boot=1 GUEST boot=2 GUEST boot=3 " \
        "run $run: a reboot finds what was written before it"
done
is "$(tr -d '\0' < count.img | wc -c)" 0 "of that nothing is in the file"

# Any number of machines at a time, and nobody who writes.
start_boot idle --memory 256M --disk base.img,cow
wait_console 'GUEST idle' 100
first=$pid first_console=$console
boot disk,1 --memory 256M --disk base.img,cow
is "$status" 0 "a second machine has the same file"
like "$console" 'GUEST sha256=[0-9a-f]{64}' "and can write its disk"
run_eret --kernel "$KERNELS/6.12/Image" --disk base.img
is "$status" 1 "a third that would write the file is refused"
like "$errors" "base\\.img is in use by process $first \\(eret\\)" "and told by whom it is used"
pid=$first console=$first_console
kill -KILL "$pid"
finish_eret 10

# No room for what is written.
mkdir small
check "a file system of 4 MiB" mount -t tmpfs -o size=4m tmpfs small || exit
truncate -s 16M large.img
before=${TMPDIR-}
TMPDIR=$PWD/small
export TMPDIR
boot disk-full --disk large.img,cow
umount -l small
if [ "$before" ]; then TMPDIR=$before; else unset TMPDIR; fi
is "$status" 0 "no room: the guest powers off, status 0"
isnt "$(guest dd-status)" 0 "no room: a write fails in the guest"
is "$(guest sector0-foreign-bytes)" 0 "no room: what was written before can still be read"
like "$errors" 'KiB left for what is written to large\.img.*TMPDIR' "no room: that there is little is said beforehand"
like "$errors" 'virtio-blk0: a write failed: .*/small \(what is written to large\.img\): No space left on device' "no room: and where, when it happens"
is "$(tr -d '\0' < large.img | wc -c)" 0 "no room: the file is what it was"
