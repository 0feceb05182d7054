#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016  # what stands in single quotes is for the guest's shell
# A disk as Debian's installer leaves it boots by itself: firmware, GRUB at the removable path, Debian's kernel,
# systemd, a login on the console. A boot entry that efibootmgr writes there is there after the power-off, and is what
# the firmware then starts. And so it does with firmware that eret finds by itself.
# limit: 3600
# serial
# shellcheck source=tests/host/lib.sh
. "$LIB"
long=$((4 * patience)) # for a whole boot of Debian's
cp "$DEBIAN_DISK/debian.img" debian.img

# debian FIRMWARE[,vars=FILE] OPTION...: in the background.
debian() {
    flash=$1
    shift
    start_eret --firmware "$flash" --disk debian.img --rng --memory 1G --cpus 2 "$@"
}
# log_in WHAT: up to the shell of root's.
log_in() {
    wait_console 'GNU GRUB' "$patience" && wait_console 'debian login: ' "$long" || return
    passed "$1 boots GRUB, which boots Debian to a login"
    send 'root\n'
    wait_console 'Password: ' "$patience" && send 'eret\n' && wait_console 'bash-[0-9.]+# ' "$patience"
}
# tell KEY COMMAND: what it prints is `guest KEY` then. The terminal shows what is typed: the quotes tell it from what
# is said; and when a second line has come, the first is whole.
tell() { send "echo GU\"\"EST $1=\$($2); echo GU\"\"EST told=$1\\n" && wait_console "GUEST told=$1" "$long"; }

debian "$FIRMWARE/bookworm/AAVMF_CODE.fd,vars=vars"
log_in "UEFI 2022.11" || exit
tell state 'systemctl is-system-running --wait'
is "$(guest state)" running "systemd has come to rest, and nothing has failed"
tell root 'findmnt -n -o SOURCE /'
is "$(guest root)" /dev/vda2 "the root is that partition of the disk"
tell esp 'findmnt -n -o SOURCE /boot/efi'
is "$(guest esp)" /dev/vda1 "and the EFI system partition is the other"
tell getty 'systemctl is-active serial-getty@ttyAMA0'
is "$(guest getty)" active "without a word on the command line the console is where the firmware's is"
tell entry 'efibootmgr -q -c -d /dev/vda -p 1 -L kept -l /EFI/debian/grubaa64.efi; echo $?'
is "$(guest entry)" 0 "efibootmgr writes a boot entry"
send 'poweroff\n'
finish_eret "$long"
is "$status" 0 "Debian powers off, status 0"

debian "$FIRMWARE/bookworm/AAVMF_CODE.fd,vars=vars"
wait_console 'starting Boot[0-9A-F]+ "kept" from HD\(1,GPT,' "$patience" &&
    wait_console 'GNU GRUB' "$patience" &&
    passed "the entry is there after a power-off, and GRUB starts by it"
kill -KILL "$pid"
finish_eret "$patience"

# Where Debian's package has it. A machine of somebody's is left as it is.
usual=/usr/share/AAVMF
if [ "$KIND" != native ]; then
    mkdir -p "${usual%/*}"
    ln -s "$FIRMWARE/trixie" $usual
elif [ ! -e $usual/AAVMF_CODE.fd ]; then
    skip "firmware is found" "there is no $usual/AAVMF_CODE.fd here"
    exit
fi
"$ERET" doctor > doctor.txt
like doctor.txt "UEFI for guests +$usual/AAVMF_CODE.fd" "eret doctor says which firmware there is"
debian auto,vars=other-vars
log_in "--firmware auto: UEFI 2025.02"
tell maker 'dmidecode -s system-manufacturer'
is "$(guest maker)" eret "dmidecode says who made the machine"
tell tables 'cd /tmp && acpidump > all && acpixtract -a all > /dev/null && ls *.dat | wc -l'
check "acpidump finds the ACPI tables: $(guest tables)" test "$(guest tables)" -ge 9
tell taken-apart 'cd /tmp; for t in *.dat; do iasl -d $t; done > log 2>&1; ls *.dsl | wc -l'
is "$(guest taken-apart)" "$(guest tables)" "iasl takes each of them apart"
# There is no grep in that system.
tell together 'cd /tmp; for t in *.dsl; do iasl $t; done > log 2>&1; n=0; while read -r l; do [[ $l != *"0 Errors, 0 Warnings"* ]] || n=$((n + 1)); done < log; echo $n'
# Debian 13's (20250404) does not come to terms with its own text of an SPCR of revision 2, which has no precise baud rate.
check "and puts all but SPCR together again, without a warning: $(guest together)" test "$(guest together)" -ge $(($(guest tables) - 1))
kill -TERM "$pid"
finish_eret "$long"
is "$status" 0 "Debian powers off when the power button is pressed, status 0"
[ "$KIND" = native ] || rm $usual
