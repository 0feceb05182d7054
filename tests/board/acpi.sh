#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# iasl disassembles what --dump-acpi writes and compiles it again, without a warning and into the same bytes. Needs no KVM: the native
# eret plans the machine.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
eret=$PWD/build/native/eret
[ -x "$eret" ] || make -s "$eret" >&2 || exit 1
truncate -s 1M "$work/disk.img"
evidence=$work/messages

if ! command -v iasl > /dev/null || ! command -v acpixtract > /dev/null; then
    echo "ok 1 - ACPI tables # SKIP acpica-tools are not installed"
    echo 1..1
    exit
fi

# What is left of a table when it is known who has compiled it: the checksum is left out, and compiler and its revision.
content() { { head -c 9 "$1"; tail -c +11 "$1" | head -c 18; tail -c +37 "$1"; } | od -An -tx1; }

# compiled TABLE: taken apart and put together again.
compiled() {
    iasl -p "$1" -d "$1.dat" > "$1.said" 2>&1 && iasl -oa -p "$1-again" "$1.dsl" >> "$1.said" 2>&1 &&
        grep -q '0 Errors, 0 Warnings, 0 Remarks' "$1.said" && ! grep -qiE 'warning \||invalid|unknown|\*\*\*\*' "$1.said" "$1.dsl" &&
        [ "$(content "$1.dat")" = "$(content "$1-again.aml")" ] && return
    cat "$1.said" >> "$work/messages"
    return 1
}

# tables NAME OPTION...: dumps, and compiles each.
tables() {
    name=$1
    shift
    rm -rf "$work/tables" && mkdir "$work/tables"
    "$eret" run --dump-acpi "$work/tables/dump" "$@" > "$work/messages" 2>&1 && ! [ -s "$work/messages" ]
    result $? "$name: eret writes them"
    cd "$work/tables" || exit
    acpixtract -a dump > "$work/messages" 2>&1
    result $? "$name: acpixtract takes them apart"
    for file in *.dat; do
        table=${file%.dat}
        [ "$table" = rsdp ] && continue
        compiled "$table"
        result $? "$name: $table"
    done
    cd "$OLDPWD" || exit
}

# has TABLE PATTERN: a line of the disassembled table.
has() {
    echo "the $1 has nothing like: $2" > "$work/messages"
    grep -qsE -e "$2" "$work/tables/$1.dsl"
    result $? "$name: $1: $2"
}
count() { # TABLE PATTERN N
    found=$(grep -cE -e "$2" "$work/tables/$1.dsl")
    echo "of $2 there are $found in $1" > "$work/messages"
    [ "$found" = "$3" ]
    result $? "$name: $1: $3 times $2"
}
absent() {
    ls "$work/tables" > "$work/messages"
    [ ! -e "$work/tables/$1.dat" ]
    result $? "$name: no $1"
}

tables "default" --cpus 2
has facp 'Hardware Reduced \(V5\) : 1'
has facp 'PSCI Compliant : 1'
has facp 'Must use HVC for PSCI : 1'
count apic 'Generic Interrupt Controller\]' 2
count apic 'Generic Interrupt Redistributor\]' 1
has apic 'Generic Interrupt Translator\]'
has apic 'Performance Interrupt : 00000017'
has gtdt 'Virtual Timer Interrupt : 0000001B'
has iort 'ID Count : 000000FF'
has mcfg 'Base Address : 000000003F000000'
has spcr 'Interface Type : 03'
has dbg2 'Namepath : "\\_SB.COM0"'
count dsdt 'ACPI0007' 2
has dsdt 'GpioInt \(Edge, ActiveHigh, ExclusiveAndWake'
has dsdt 'Notify \(\\_SB.PWRB, 0x80\)'
has dsdt 'PNP0A08'
has dsdt '_OSC'
has dsdt 'QWordIO \(ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,'
has dsdt '0x000000003EFF0000, // Translation Offset'
has dsdt 'TypeTranslation, DenseTranslation'
count dsdt 'QEMU0002' 0
tables "GICv2" --gic 2 --cpu host,pmu=off
has apic 'Generic MSI Frame\]'
has apic 'Performance Interrupt : 00000000'
absent iort
tables "130 CPUs, 64 GiB" --cpus 130 --memory 64G
count apic 'Generic Interrupt Controller\]' 130
count apic 'Generic Interrupt Redistributor\]' 2
count dsdt 'ACPI0007' 130
tables "512 CPUs" --cpus 512
tables "nested" --nested
has facp 'Must use HVC for PSCI : 0'
has apic 'Virtual GIC Interrupt : 00000019'
has gtdt 'Virtual EL2 Timer GSIV : 0000001C'
tables "virtio-mmio" --transport mmio --console virtio --disk "$work/disk.img" --rng --scratch
count dsdt 'LNRO0005' 4  # and the power button's keyboard
absent mcfg
absent spcr
tables "state of the guest" --pvpanic --vmgenid auto --vmclock
count dsdt 'ACPI0013' 2
has dsdt '"VM_Gen_Counter"'
has dsdt 'Notify \(\\_SB.VGEN, 0x80\)'
has dsdt 'QEMU0001'
has dsdt 'AMZNC10C'
tables "firmware configuration" --fw-cfg name=opt/eret/text,string=hello
has dsdt '"QEMU0002"'
has dsdt '0x09020000,  +// Address Base'
has dsdt 'Name \(_STA, 0x0B\)'
tables "no devices" --no-defaults
absent mcfg
absent iort
plan
