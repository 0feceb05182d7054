#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# UEFI, as Debian has it, is given ACPI and SMBIOS by the firmware configuration device, and hands them to Debian's kernel:
# which then knows its machine as if it had found them itself, and no device tree. U-Boot hands the tree on. The boot's
# steps are seen from outside.
# limit: 1500
# serial
# shellcheck source=tests/host/lib.sh
. "$LIB"
# shellcheck source=tests/host/lib-acpi.sh
. "${LIB%.sh}-acpi.sh"

# Debian's kernel, of which TASK is asked, by FIRMWARE. A kernel wants random numbers of UEFI.
with() { # START FIRMWARE TASK OPTION...
    start=$1 flash=$2 task=$3
    shift 3
    "$start" --firmware "$FIRMWARE/$flash" --kernel "$KERNELS/6.12/Image" --initrd "$KERNELS/6.12/initrd" \
        --append "$quiet eret.mode=test eret.test=$task" --cpus 2 --rng "$@"
}
quiet=quiet
run_limit=400
short_runtime_directory

with run_eret bookworm/AAVMF_CODE.fd acpi --uuid 324e6eaf-d1d1-4bf6-bf41-b9bb6c91fb87 --serial-number 'number 7'
found "UEFI 2022.11"
found_on_pci "UEFI 2022.11"
is "$(guest uuid)" 324e6eaf-d1d1-4bf6-bf41-b9bb6c91fb87 "UEFI 2022.11: the machine's UUID"
is "$(guest serial-number)" "number 7" "UEFI 2022.11: and serial number"
is "$(guest fw-cfg)" 11 "UEFI 2022.11: the kernel finds the firmware configuration device, too"

with run_eret trixie/AAVMF_CODE.fd acpi --name web
found "UEFI 2025.02"
found_on_pci "UEFI 2025.02"
is "$(guest uuid)" d7873df5-6a11-5e0e-bfb5-29f9ed05b8ca "UEFI 2025.02: a UUID, from the machine's name"

# Not quiet: some of the steps are lines of the kernel's.
quiet=
with start_eret trixie/AAVMF_CODE.fd powerbutton,input --disk "$FIXTURES/ext4.img,ro" --power-button gpio --stats=stats.txt
wait_console 'GUEST waiting-for-power-button' 400
kill -TERM "$pid"
finish_eret 60
like "$console" 'GUEST input=Power Button' "the power button is ACPI's"
like "$console" 'GUEST power-button-pressed' "it is pressed"
is "$status" 0 "and the guest powers off cleanly"
# The disk is read when firmware or kernel likes.
is "$(sed -nE 's/^(first instruction|tables taken|kernel taken|kernel started|firmware left|init) .*/\1/p' stats.txt | tr '\n' ',')" \
    "first instruction,tables taken,kernel taken,kernel started,firmware left,init," "the boot's steps, in their order"
like stats.txt '^first disk request' "and when a disk was read first"
like stats.txt 'selects: etc/table-loader' "the items that firmware has read are named"
quiet=quiet

with run_eret trixie/AAVMF_CODE.fd acpi --watchdog
is "$status" 0 "with a watchdog: the guest powers off, status 0"
like "$console" 'GUEST tree=.*cpus' "with a watchdog: UEFI hands the device tree on, which tells of it"

with run_eret trixie/u-boot.bin acpi
is "$status" 0 "U-Boot 2025.01: the guest powers off, status 0"
like "$console" 'GUEST tree=.*cpus' "U-Boot 2025.01: it boots by the device tree, whatever else there is"
is "$(guest tables)" "" "U-Boot 2025.01: and hands no ACPI on"
is "$(guest cpus)" 2 "U-Boot 2025.01: all CPUs are online"
