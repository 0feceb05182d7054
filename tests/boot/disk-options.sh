#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Two disks: one read-only, each with its serial; and who may have one at a time.
# limit: 600
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
