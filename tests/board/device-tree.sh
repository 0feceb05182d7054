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
tree "identity" --name web --serial-number 'number 7'
has 'vm,uuid = "d7873df5-6a11-5e0e-bfb5-29f9ed05b8ca"'
has 'serial-number = "number 7"'
tree "virtio console, disks, random numbers" --console virtio --disk "$work/disk.img" --disk "$work/other.img,ro,serial=two" --rng
tree "virtio-mmio" --transport mmio --console virtio --disk "$work/disk.img" --rng
has 'compatible = "virtio,mmio"'
tree "no devices" --no-defaults
cat > "$work/one.dts" << 'END'
/dts-v1/;
/plugin/;
/ {
    fragment@0 {
        target-path = "/";
        __overlay__ {
            ours: thing@60000000 { compatible = "example,thing"; reg = <0 0x60000000 0 0x1000>; clocks = <&apb_pclk>; };
        };
    };
    fragment@1 {
        target = <&cpu0>;
        __overlay__ { capacity-dmips-mhz = <&ours>; };
    };
};
END
cat > "$work/two.dts" << 'END'
/dts-v1/;
/plugin/;
&ours { status = "disabled"; };
END
for overlay in one two; do dtc -q -@ -O dtb -o "$work/$overlay.dtbo" "$work/$overlay.dts"; done
tree "overlays" --dtbo "$work/one.dtbo" --dtbo "$work/two.dtbo"
has 'thing@60000000 {'
has 'status = "disabled"'
"$eret" run --dry-run --dtbo "$work/two.dtbo" > "$work/messages" 2>&1
grep -qF "two.dtbo: fragment@0 refers to label 'ours', which the machine's tree has not" "$work/messages"
result $? "an overlay that needs another one says what it lacks, and where"
cat > "$work/line.dts" << 'END'
/dts-v1/;
/plugin/;
&{/chosen} { bootargs = "loud"; };
END
dtc -q -@ -O dtb -o "$work/line.dtbo" "$work/line.dts"
is "$("$eret" run --dry-run --append quiet --dtbo "$work/line.dtbo" | grep '^bootargs')" "bootargs  loud" "the plan shows the command line of the tree"
tree "command line" --append 'root=/dev/vda "quoted"'
has 'bootargs = "root=/dev/vda \"quoted\""'
plan
