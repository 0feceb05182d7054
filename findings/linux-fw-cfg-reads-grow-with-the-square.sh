#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# Linux 6.12 (Debian's arm64 kernel), driver qemu_fw_cfg, under QEMU 7.2's `virt` machine: a file below
# /sys/firmware/qemu_fw_cfg is read through the data register, a byte an access, although the device offers DMA; and each
# page of it is read from the file's beginning, as the register can only go on; the end, too, is found by passing over the
# whole file. N pages cost N (N + 3) / 2 pages of byte accesses, each of which is an exit of the guest's to its monitor:
# 57,344 for 16 KiB, 622,592 for 64 KiB.
#
# Expected: one DMA request a read (the driver has DMA, and writes the vmcoreinfo by it), or at least that what has been
#   passed over once is not passed over again.
# Seen: the counts above, and 656 accesses for the directory.
# Met by: who hands a guest some MiB in a -fw_cfg file. 1 MiB takes 136 million exits, which looks like a guest that
#   hangs; an initrd's size would take weeks.
#
# Usage: linux-fw-cfg-reads-grow-with-the-square.sh     needs apt, cpio and xz on Debian 12 (amd64); exit status 0: still so
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
# shellcheck source=guest-images/debian.sh
. "$root/guest-images/debian.sh"
cd "$here"

debian_fetch_whole amd64 qemu bookworm qemu-system-arm=1:7.2+dfsg-7+deb12u18+b3
debian_fetch_whole arm64 guest bookworm busybox-static
debian_fetch_whole arm64 guest "bookworm bookworm-backports" linux-image-6.12.95+deb12-cloud-arm64-unsigned

mkdir -p initrd/bin initrd/proc initrd/sys
cp guest/bin/busybox initrd/bin/
xz -dc "$(find guest -name qemu_fw_cfg.ko.xz)" > initrd/qemu_fw_cfg.ko
cat > initrd/init << 'END'
#!/bin/busybox sh
export PATH=/bin
/bin/busybox --install /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
insmod /qemu_fw_cfg.ko
sum=$(sha256sum < /sys/firmware/qemu_fw_cfg/by_name/opt/org.example/item/raw)
echo "sum ${sum%% *} end"
poweroff -f
END
chmod 755 initrd/init
(cd initrd && find . | cpio -o -H newc --quiet) > initrd.cpio

# accesses BYTES: how often a guest reads the data register that reads an item of so many bytes once.
accesses() {
    head -c "$1" /dev/urandom > item
    sum=$(sha256sum < item)
    machine=$(find qemu -name qemu-system-aarch64)
    LD_LIBRARY_PATH=$here/qemu/usr/lib/x86_64-linux-gnu:$here/qemu/lib/x86_64-linux-gnu timeout 600 "$machine" \
        -M virt -cpu cortex-a57 -m 512 -nodefaults -display none -serial stdio -no-reboot \
        -kernel guest/boot/vmlinuz-* -initrd initrd.cpio -append 'console=ttyAMA0 quiet' \
        -fw_cfg name=opt/org.example/item,file=item -trace enable=fw_cfg_read -D trace > console 2>&1 < /dev/null
    grep -q "sum ${sum%% *} end" console || { cat console >&2; exit 2; }
    grep -c fw_cfg_read trace
}
small=$(accesses 16384)
large=$(accesses 65536)
echo "16 KiB: $small reads of the data register; 64 KiB: $large"
# What both have in common is the directory.
[ $((large - small)) = $((622592 - 57344)) ]
