#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Firmware is handed a kernel, by the firmware configuration device, and starts it instead of what is on the disks; where
# there is none, it boots from disks in the order that it is told.
# limit: 3600
# serial
# shellcheck source=tests/host/lib.sh
. "$LIB"

# starts FIRMWARE OPTION...: Debian's kernel with the initrd of the tests, which says how it was started.
starts() {
    flash=$1
    shift
    run_eret --timeout $((2 * patience)) --firmware "$FIRMWARE/$flash" --kernel "$KERNELS/6.12/Image" --initrd "$KERNELS/6.12/initrd" \
        --append "quiet eret.mode=test eret.test=boot" --stats=stats.txt "$@"
    like "$console" 'GUEST done' "$flash $*: starts the kernel that it is handed"
    is "$status" 0 "with its command line and initrd, it does its task, status 0"
    like stats.txt 'selects: kernel' "which it has read from the firmware configuration device"
}
starts bookworm/AAVMF_CODE.fd
starts trixie/AAVMF_CODE.fd --cpus 2 --memory 1G --disk "$FIXTURES/grub.img,ro,bootindex=1"
starts bookworm/u-boot.bin
starts trixie/u-boot.bin

# order FIRMWARE WANTED OPTION...: which disk is the first that it starts GRUB from, which powers off then.
order() {
    flash=$1 wanted=$2
    shift 2
    run_eret --timeout $((2 * patience)) --firmware "$FIRMWARE/$flash" "$@"
    is "$(guest disk)" "$wanted" "$flash $*: boots $wanted"
    is "$status" 0 "and powers off, status 0"
}
for suite in bookworm trixie; do
    order $suite/AAVMF_CODE.fd one --disk "$FIXTURES/one.img,ro,bootindex=1" --disk "$FIXTURES/two.img,ro,bootindex=2"
    order $suite/AAVMF_CODE.fd two --disk "$FIXTURES/one.img,ro,bootindex=2" --disk "$FIXTURES/two.img,ro,bootindex=1"
done
order trixie/AAVMF_CODE.fd two --disk "$FIXTURES/one.img,ro" --disk "$FIXTURES/ext4.img,ro,bootindex=1" --disk "$FIXTURES/two.img,ro,bootindex=2"
