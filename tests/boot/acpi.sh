#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Debian's kernel with ACPI alone: the device tree says only how to boot. All CPUs, the GIC and its messages, PCI, timer, PMU, serial
# port and power button are found, and the kernel warns of nothing.
# limit: 900
# shellcheck source=tests/host/lib.sh
. "$LIB"
# shellcheck source=tests/host/lib-acpi.sh
. "${LIB%.sh}-acpi.sh"

boot acpi --tables acpi --cpus 2 --rng --uuid 324E6EAF-d1d1-4bf6-bf41-b9bb6c91fb87 --serial-number 'number 7' --fw-cfg name=opt/eret/x,string=x
found "2 vCPUs"
found_on_pci "2 vCPUs"
is "$(guest uuid)" 324e6eaf-d1d1-4bf6-bf41-b9bb6c91fb87 "2 vCPUs: the machine's UUID"
is "$(guest serial-number)" "number 7" "2 vCPUs: and serial number"
is "$(guest fw-cfg)" 11 "2 vCPUs: the firmware configuration device is there, and works"

boot acpi --tables acpi --console virtio --rng --disk "$FIXTURES/ext4.img,ro"
found "virtio"
is "$(guest fw-cfg)" "" "virtio: no firmware configuration device, which nobody needs"
like "$console" 'GUEST virtio=.*:0x0002' "virtio: the disk"

boot acpi --tables acpi --transport mmio --rng
found "virtio-mmio"
like "$console" 'GUEST virtio=.*:0x0004' "virtio-mmio: the source of random numbers"

boot boot --tables both
no_warnings "both: the kernel takes the device tree, and warns of nothing"
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
