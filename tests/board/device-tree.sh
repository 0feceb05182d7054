#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# dtc parses what --dump-fdt writes, without a warning, and finds in it what it should. Needs no KVM: the native eret plans the machine.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
eret=build/native/eret
[ -x "$eret" ] || make -s "$eret" >&2 || exit 1
truncate -s 1M "$work/disk.img" "$work/other.img"

evidence=$work/messages

# tree NAME OPTION...: dumps and decompiles; all that eret and dtc say counts as a warning.
tree() {
    name=$1
    shift
    rm -f "$work/tree.dtb" "$work/tree.dts"
    "$eret" run --dry-run --dump-fdt "$work/tree.dtb" "$@" > /dev/null 2> "$work/messages"
    result $? "$name: eret writes it"
    dtc -I dtb -O dts -o "$work/tree.dts" "$work/tree.dtb" 2>> "$work/messages" && ! [ -s "$work/messages" ]
    result $? "$name: dtc reads it without a warning"
}

# has TEXT: the decompiled tree has such a line.
has() {
    echo "the tree has no: $1" > "$work/messages"
    grep -qsF -e "$1" "$work/tree.dts"
    result $? "$name: $1"
}

tree "default"
has 'compatible = "arm,gic-v3"'
has 'compatible = "pci-host-ecam-generic"'
has 'compatible = "arm,pl011'
has 'method = "hvc"'
tree "GICv2" --gic 2
has 'compatible = "arm,gic-v2m-frame"'
tree "123 CPUs, 32 GiB" --cpus 123 --memory 32G
has 'cpu@'
tree "virtio console, disks, random numbers" --console virtio --disk "$work/disk.img" --disk "$work/other.img,ro,serial=two" --rng
tree "virtio-mmio" --transport mmio --console virtio --disk "$work/disk.img" --rng
has 'compatible = "virtio,mmio"'
tree "no devices" --no-defaults
tree "command line" --append 'root=/dev/vda "quoted"'
has 'bootargs = "root=/dev/vda \"quoted\""'
plan
