#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Linux's driver of the firmware configuration device finds the items, each with its contents, by the device tree and by
# ACPI; and the recording names them.
# limit: 300
# shellcheck source=tests/host/lib.sh
. "$LIB"
modules=$(echo "$KERNELS"/6.12/lib/modules/*)

printf 'two\0lines\n' > item
truncate -s 1M disk.img other.img
head -c 5000 "$image" > large # more than one page; Linux reads it a byte at a time
# shellcheck disable=SC2016  # for the guest's shell
run_exec --modules "$modules" --module qemu_fw_cfg --cpus 2 --fw-cfg name=opt/eret/text,string=hello,,world \
    --fw-cfg name=opt/none,string= --fw-cfg name=opt/item,file=item --fw-cfg name=opt/large,file=large --disk disk.img,bootindex=2 \
    --disk other.img,bootindex=1 --record recording -- sh -c '
    cd /sys/firmware/qemu_fw_cfg
    echo "rev=$(cat rev)"
    for name in bootorder opt/eret/text opt/none opt/item opt/large; do
        set -- $(md5sum < by_name/$name/raw)
        echo "$name size=$(cat by_name/$name/size) sum=$1"
    done'
is "$status" 0 "the guest has come to its end"

# has NAME FILE: the guest has the bytes of FILE.
has() {
    set -- "$1" "$(wc -c < "$2")" "$(md5sum < "$2")"
    like out "^$1 size=$2 sum=${3%% *}" "the guest has $1, as it is"
}
like out '^rev=3$' "Linux takes the device for one with DMA"
printf hello,world > text
: > none
printf '/pci@3f000000/scsi@3/disk@0,0\n/pci@3f000000/scsi@2/disk@0,0\0' > order
has opt/eret/text text
has opt/none none
has opt/item item
has opt/large large
has bootorder order
"$ERET" trace recording > summary 2>&1
like summary 'fw-cfg: selects: opt/item' "the recording names items"

run_exec --tables acpi --modules "$modules" --module qemu_fw_cfg --fw-cfg name=opt/eret/text,string=hello -- \
    cat /sys/firmware/qemu_fw_cfg/by_name/opt/eret/text/raw
is "$status" 0 "the guest with ACPI has come to its end"
is "$(cat out)" hello "Linux finds the device by ACPI, and its item"
