#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Debian's kernel with ACPI alone: the device tree says only how to boot. All CPUs, the GIC and its messages, PCI, timer, PMU, serial
# port and power button are found, and the kernel warns of nothing.
# limit: 900
# shellcheck source=tests/host/lib.sh
. "$LIB"

# What is the same for all machines.
found() {
    is "$status" 0 "$1: the guest powers off, status 0"
    is "$(guest tree)" "" "$1: the kernel knows no device tree"
    is "$(guest gic)" "$(expected_gic)" "$1: the GIC of this host"
    is "$(guest complaints)" 0 "$1: the kernel complains of nothing"
    isnt "$(guest timer-interrupts)" 0 "$1: the timer interrupts"
    isnt "$(($(guest clock) / 1000000000))" 0 "$1: it knows which time it is"
    is "$(guest maker)" eret "$1: SMBIOS says who made the machine"
}

boot acpi --tables acpi --cpus 2
found "2 vCPUs"
is "$(guest cpus)" 2 "2 vCPUs: all are online"
like "$console" 'GUEST console=.*ttyAMA0' "2 vCPUs: SPCR names the console"
like "$console" 'GUEST tables=.*APIC.*DBG2.*DSDT.*FACP.*GTDT.*MCFG.*PPTT.*SPCR' "2 vCPUs: the tables are there"
is "$(guest pmu)" 1 "2 vCPUs: the PMU"
is "$(guest pmu-interrupts)" 1 "2 vCPUs: and its interrupt"
is "$(guest gpio-events)" 1 "2 vCPUs: the power button's event"
is "$(guest package)" 0-1 "2 vCPUs: they are of one package"
like "$console" 'GUEST osc=.*PCIeHotplug.*AER' "2 vCPUs: the kernel has got what PCI Express can do by itself"

boot acpi --tables acpi --console virtio --rng --disk "$FIXTURES/ext4.img,ro"
found "virtio"
isnt "$(guest messages)" 0 "virtio: by messages"
like "$console" 'GUEST virtio=.*:0x0002' "virtio: the disk"

boot acpi --tables acpi --transport mmio --rng
found "virtio-mmio"
like "$console" 'GUEST virtio=.*:0x0004' "virtio-mmio: the source of random numbers"

boot boot --tables both
is "$(guest warnings)" 0 "both: the kernel takes the device tree, and warns of nothing"
like "$console" 'GUEST done' "both: it boots"

start_boot powerbutton,input --tables acpi
wait_console 'GUEST waiting-for-power-button' 60
kill -TERM "$pid"
finish_eret 60
like "$console" 'GUEST input=Power Button' "the power button is ACPI's"
like "$console" 'GUEST power-button-pressed' "it is pressed"
is "$status" 0 "and the guest powers off cleanly"

start_boot idle --tables acpi
wait_console 'GUEST idle' 60
kill -TERM "$pid"
finish_eret 60
like "$console" 'Power button: powering off' "and heard wherever the guest waits for it"
