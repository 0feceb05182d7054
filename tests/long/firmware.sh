#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# UEFI and U-Boot, as Debian has them: they start in flash, boot Debian's kernel by its EFI stub, by GRUB and by extlinux,
# and what the guest writes to its variables is there after a kill, a power-off and a reboot. With a host that can, at
# EL2.
# limit: 3600
# serial
# shellcheck source=tests/host/lib.sh
. "$LIB"

old=$FIRMWARE/bookworm
new=$FIRMWARE/trixie

# firmware FIRMWARE[,vars=FILE] OPTION...: in the background.
firmware() {
    flash=$1
    shift
    # With VHE, what EL2 takes for the virtual timer is another, of which UEFI has heard since 2025.02 only: an older one
    # waits for a tick for ever.
    case $KIND,$flash in
    *nested*,"$old/AAVMF"*) set -- --nested=e2h0 "$@" ;;
    *nested*) set -- --nested "$@" ;;
    esac
    start_eret --firmware "$flash" --power-button none "$@"
}
# exits DEVICE: how often the guest came to eret for it, in the last guest's statistics.
exits() { sed -n "s/^$1  *\([0-9,]*\) .*/\1/p" stats.txt | tail -n 1 | tr -d ,; }

# UEFI of 2022, whose variables are made from its template. Its shell runs startup.nsh, which starts the kernel as the
# EFI program that it is.
firmware "$old/AAVMF_CODE.fd,vars=vars" --disk "$FIXTURES/boot.img,ro"
wait_console 'UEFI Interactive Shell' "$patience"
wait_console 'GUEST written=kept' $((2 * patience))
like "$console" 'GUEST efi=yes' "UEFI 2022.11 boots the kernel by its EFI stub"
like "$console" 'GUEST entry=.?$' "there is no such boot entry yet"
kill -KILL "$pid"
finish_eret "$patience"
is "$(wc -c < vars)" 67108864 "the file of variables is as its template, when eret is killed"

firmware "$old/AAVMF_CODE.fd,vars=vars" --disk "$FIXTURES/boot.img,ro" --stats=stats.txt
wait_console 'GUEST written=kept' $((2 * patience))
like "$console" 'GUEST entry=kept' "a boot entry that the guest wrote is there after kill -9"
finish_eret "$patience"
is "$status" 0 "it powers off by UEFI, status 0"
check "reads of flash, and code in it, cost no exits: $(exits flash0) in a boot" [ "$(exits flash0)" -lt 3000 ]

# GRUB at the removable path.
firmware "$old/AAVMF_CODE.fd,vars=vars" --disk "$FIXTURES/grub.img,ro" --disk "$FIXTURES/boot.img,ro" --cpus 2
wait_console 'GUEST written=kept' $((2 * patience))
like "$console" 'GUEST entry=kept' "and after a power-off; UEFI 2022.11 boots GRUB, which boots the kernel"
finish_eret "$patience"
is "$status" 0 "it powers off, status 0"

firmware "$new/AAVMF_CODE.fd" --disk "$FIXTURES/grub.img,ro" --disk "$FIXTURES/boot.img,ro" --exits all
wait_console 'GUEST written=kept' $((2 * patience))
like "$console" 'GUEST efi=yes' "UEFI 2025.02 boots GRUB, which boots the kernel, with all exits but those of flash"
finish_eret "$patience"
is "$status" 0 "it powers off, status 0"

firmware "$new/AAVMF_CODE.fd" --disk "$FIXTURES/boot.img,ro"
wait_console 'GUEST written=kept' $((2 * patience))
like "$console" 'GUEST efi=yes' "UEFI 2025.02 boots the kernel by its EFI stub"
finish_eret "$patience"

# U-Boot: its environment, in a file that is made erased, over a reboot and another machine.
firmware "$old/u-boot.bin,vars=environment" --disk "$FIXTURES/boot.img,ro" --stats=stats.txt
wait_console 'Hit any key to stop autoboot' "$patience"
send '\n\n'
wait_console '=> ' "$patience"
is "$(wc -c < environment)" 1048576 "U-Boot has a file of variables of 1 MiB"
like "$console" 'bad CRC, using default environment' "which is erased"
"$ERET" run --firmware "$new/u-boot.bin,vars=environment" < /dev/null > other 2>&1 3>&-
is "$?" 1 "no other machine can have it"
like other "environment' is in use by another machine" "which is told so"
send 'setenv kept by-the-flash; saveenv\n'
wait_console 'Writing to Flash.*done' "$patience"
wait_console 'Protected [0-9]+ sectors|OK' "$patience"
send 'reset\n'
lines 'U-Boot 20' 2 "$patience"
prompts=$(grep -c '=> ' "$console")
send '\n\n\n'
lines '=> ' $((prompts + 1)) "$patience"
is "$(grep -c 'bad CRC' "$console")" 1 "after a reset it is good"
send 'printenv kept; poweroff\n'
finish_eret "$patience"
like "$console" 'kept=by-the-flash' "saveenv lasts over a reboot"
is "$status" 0 "U-Boot 2023.01 powers off, status 0"
check "reads of flash cost no exits: $(exits flash0)" [ "$(exits flash0)" -lt 20000 ]

firmware "$old/u-boot.bin,vars=environment" --disk "$FIXTURES/boot.img,ro"
wait_console 'GUEST efi=no' $((2 * patience))
is "$(grep -c 'bad CRC' "$console")" 0 "and over a machine's end"
finish_eret "$patience"
is "$status" 0 "U-Boot 2023.01 boots the kernel by extlinux.conf, which powers off: status 0"

firmware "$new/u-boot.bin" --disk "$FIXTURES/grub.img,ro" --disk "$FIXTURES/boot.img,ro" --cpus 2
wait_console 'GUEST efi=yes' $((2 * patience))
finish_eret "$patience"
is "$status" 0 "U-Boot 2025.01 boots GRUB by EFI, which boots the kernel, which powers off: status 0"

firmware "$new/u-boot.bin" --disk "$FIXTURES/boot.img,ro"
wait_console 'GUEST efi=no' $((2 * patience))
finish_eret "$patience"
is "$status" 0 "U-Boot 2025.01 boots the kernel by extlinux.conf"
