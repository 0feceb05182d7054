#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A guest that reboots does so within the same process.
# limit: 600
# shellcheck source=tests/host/lib.sh
. "$LIB"

truncate -s 1M count.img
start_boot reboot,5 --disk count.img --rng --cpus 2
process=$pid
for boot in 1 2 3 4 5 6; do
    wait_console "GUEST boot=$boot" 60 || break
    if [ "$boot" != 6 ] && ! running "$process"; then  # the sixth powers off at once: its status is looked at below
        failed "boot $boot is in the same process"
        break
    fi
done
finish_eret 60
is "$(grep -c 'GUEST boot=' "$console")" 6 "six boots"
is "$status" 0 "then it powers off, status 0"

truncate -s 0 count.img && truncate -s 1M count.img
boot reboot,5 --disk count.img --no-reboot
is "$status" 3 "--no-reboot: the first reboot ends the machine, status 3"
is "$(grep -c 'GUEST boot=' "$console")" 1 "--no-reboot: one boot"

truncate -s 0 count.img && truncate -s 1M count.img
run_eret --kernel "$FIXTURES/Image.gz" --initrd "$KERNELS/6.12/initrd" --append 'quiet eret.mode=test eret.test=reboot,1' --disk count.img
is "$status" 0 "a packed kernel is unpacked for each boot, status 0"
is "$(grep -c 'GUEST boot=' "$console")" 2 "two boots of it"

# A kernel that somebody rewrites in place under a running machine is noticed at the reboot.
cp "$KERNELS/6.12/Image" Image
start_eret --kernel Image --initrd "$KERNELS/6.12/initrd" --append 'quiet eret.mode=shell'
wait_console 'guest:/# ' 60
truncate -s 64K Image
send 'reboot\n'
finish_eret 30
is "$status" 1 "a kernel that was truncated meanwhile: status 1, and no signal"
like "$errors" 'kernel file Image was changed in place while it was in use' "it is said which file, and what happened to it"
