# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# What tests of guests with ACPI share (sourced behind lib.sh: `. "${LIB%.sh}-acpi.sh"`).
#
#   found NAME             what a guest that has done the task `acpi` finds on every machine
#   found_on_pci NAME      and on one of two vCPUs with a virtio device on PCI
# shellcheck disable=SC2154  # variables of lib.sh's

found() {
    is "$status" 0 "$1: the guest powers off, status 0"
    is "$(guest tree)" "" "$1: the kernel knows no device tree"
    is "$(guest gic)" "$(expected_gic)" "$1: the GIC of this host"
    no_warnings "$1: the kernel complains of nothing"
    isnt "$(guest timer-interrupts)" 0 "$1: the timer interrupts"
    clock=$(guest clock)
    isnt "$((${clock:-0} / 1000000000))" 0 "$1: it knows which time it is"
    is "$(guest maker)" eret "$1: SMBIOS says who made the machine"
    is "$(guest product)" "KVM Virtual Machine" "$1: and what it is"
}

found_on_pci() {
    is "$(guest cpus)" 2 "$1: all CPUs are online"
    is "$(guest package)" 0-1 "$1: they are of one package"
    like "$console" 'GUEST console=.*ttyAMA0' "$1: SPCR names the console"
    isnt "$(guest serial-interrupts)" 0 "$1: the serial port has its interrupt"
    like "$console" 'GUEST tables=.*APIC.*DBG2.*DSDT.*FACP.*GTDT.*MCFG.*PPTT.*SPCR' "$1: the tables are there"
    is "$(guest pmu)" 1 "$1: the PMU"
    is "$(guest pmu-interrupts)" 1 "$1: and its interrupt"
    is "$(guest gpio-events)" 1 "$1: the power button's event"
    like "$console" 'GUEST osc=.*PCIeHotplug.*AER' "$1: the kernel has got what PCI Express can do by itself"
    is "$(guest io-windows)" 1 "$1: the PCI bridge's I/O window"
    isnt "$(guest messages)" 0 "$1: interrupts by message"
    [ "$(guest gic)" != GICv3 ] || isnt "$(guest its)" 0 "$1: which the ITS takes"
}
