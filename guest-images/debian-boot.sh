# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash disable=SC2154
# What the scripts share that make disks of Debian's for arm64 that boot by firmware (sourced, not run). Comes after
# debian-tree.sh; wants $kernel too, a directory of build/kernels/.
#
#   configure_boot        names of the file systems, and patience with a machine that may be slow
#   add_kernel            kernel, initramfs and modules, and GRUB's menu
#   enable UNIT...        as its package's installation would
#   make_disk IMAGE       a GPT, an EFI system partition with GRUB, and a root with what is in $tree
#
# GRUB is Debian's, in the directory of the vendor's and as EFI/BOOT/BOOTAA64.EFI, where firmware looks that knows of no
# boot entry: the removable path. It finds the root by its UUID, and there its menu, Debian's kernel and an initramfs.
# Both are those of $kernel, with the same few modules: Debian's own tool makes an initramfs of what runs, and nothing
# for arm64 runs here. The console is the one that firmware tells the kernel of, where systemd starts a getty.
# shellcheck source=guest-images/gpt.sh
. "$here/gpt.sh"
grub=$build/firmware/grubaa64.efi

[ -f "$grub" ] || fail "no $grub; run guest-images/fetch.sh firmware"
for file in "$kernel/Image" "$kernel/initrd"; do
    [ -f "$file" ] || fail "no $file; run guest-images/fetch.sh ${kernel##*/} and build-initramfs.sh ${kernel##*/}"
done
release=$(cat "$kernel/version")
uuid=$(cat /proc/sys/kernel/random/uuid)
serial=$(printf '%04X-%04X' $((SRANDOM & 0xffff)) $((SRANDOM & 0xffff)))

# What systemd and login(1) wait for is made for silicon.
configure_boot() {
    sed -i 's/^\(LOGIN_TIMEOUT\).*/\1 900/' "$tree/etc/login.defs"
    mkdir -p "$tree/etc/systemd/system.conf.d"
    printf '[Manager]\nDefaultTimeoutStartSec=900\n' > "$tree/etc/systemd/system.conf.d/patience.conf"
    mkdir -p "$tree/boot/efi"
    printf '%s\n' "UUID=$uuid / ext4 errors=remount-ro 0 0" "UUID=$serial /boot/efi vfat umask=0077 0 0" > "$tree/etc/fstab"
}

enable() {
    local unit file units=$tree/etc/systemd/system target
    for unit; do
        file=$(find "$tree/usr/lib/systemd/system" "$tree/lib/systemd/system" -name "$unit" 2> /dev/null | head -n 1)
        [ -n "$file" ] || fail "there is no $unit"
        # shellcheck disable=SC2013  # words
        for target in $(sed -n 's/^WantedBy=//p' "$file"); do
            mkdir -p "$units/$target.wants"
            ln -sf "/usr/lib/systemd/system/$unit" "$units/$target.wants/"
        done
        # shellcheck disable=SC2013
        for target in $(sed -n 's/^Alias=//p' "$file"); do
            ln -sf "/usr/lib/systemd/system/$unit" "$units/$target"
        done
    done
}

add_kernel() {
    mkdir -p "$tree/boot/grub" "$tree/usr/lib/modules"
    cp "$kernel/Image" "$tree/boot/vmlinuz-$release"
    cp "$kernel/initrd" "$tree/boot/initrd.img-$release"
    cp -r "$kernel/lib/modules/$release" "$tree/usr/lib/modules/"
    cat > "$tree/boot/grub/grub.cfg" <<END
set default=0
set timeout=1
menuentry 'Debian GNU/Linux' {
    search --no-floppy --fs-uuid --set=root $uuid
    linux /boot/vmlinuz-$release root=UUID=$uuid systemd.service_watchdogs=no quiet
    initrd /boot/initrd.img-$release
}
END
}

# What GRUB reads first, beside it, where grub-install has it.
add_boot_loader() {
    local esp=$1 file
    cat > "$work/grub.cfg" <<END
search.fs_uuid $uuid root
set prefix=(\$root)'/boot/grub'
configfile \$prefix/grub.cfg
END
    mmd -i "$esp" ::/EFI ::/EFI/BOOT ::/EFI/debian
    for file in BOOT/BOOTAA64.EFI debian/grubaa64.efi; do
        mcopy -i "$esp" "$grub" "::/EFI/$file"
    done
    mcopy -i "$esp" "$work/grub.cfg" ::/EFI/debian/
}

make_disk() {
    local esp_mib=40 root=$work/root.ext4
    make_ext4 "$root" -U "$uuid"
    gpt "$1" "$esp_mib" "${serial/-/}" $(($(stat -c %s "$root") >> 20))
    add_boot_loader "$1@@1M"
    dd if="$root" of="$1" bs=1M seek=$((1 + esp_mib)) conv=notrunc,sparse status=none
    rm "$root"
}
