#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# mformat 4.0.32 (Debian 12) and 4.0.48 (Debian 13): a FAT volume that fills a file from its first sector on also gets a
# DOS partition table in that sector. Its one entry is a partition that begins at sector 0: the volume once more.
#
# Expected: as mkfs.fat has it, a boot sector whose last bytes before the signature are no partition table.
# Seen: sfdisk shows a bootable partition from sector 0 to the end; Linux, given the file as a disk, makes vdb1 beside
#   vdb, with the same file system in it.
# Met by: who makes seeds for cloud-init (label CIDATA) or firmware's volumes with mtools: two devices have the label, and
#   which of them /dev/disk/by-label leads to is chance; a program that looks for disks without partitions passes over it.
#
# Usage: mformat-volume-has-a-partition.sh     needs apt and fdisk on Debian 12 (amd64); exit status 0: still so
set -eu
PATH=$PATH:/usr/sbin:/sbin

root=$(cd "$(dirname "$0")/.." && pwd)
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
# shellcheck source=guest-images/debian.sh
. "$root/guest-images/debian.sh"
cd "$here"

debian_fetch bookworm mtools=4.0.33-1+really4.0.32-1 dosfstools=4.2-1
debian_fetch trixie mtools=4.0.48-1 libc6

# partitions FILE: sfdisk's list, without the file's name.
partitions() { sfdisk -l "$1" 2> /dev/null | sed -n "s/^$1\\(1 .*\\)/\\1/p" | tr -s ' '; }

MTOOLSRC=/dev/null
export MTOOLSRC
lib=$here/trixie/root/usr/lib/x86_64-linux-gnu
for file in old.img new.img mkfs.img; do truncate -s 102400 "$file"; done
"$here/bookworm/root/usr/bin/mformat" -i old.img -v CIDATA -T 200 -h 1 -s 1 ::
"$lib/ld-linux-x86-64.so.2" --library-path "$lib" --argv0 mformat "$here/trixie/root/usr/bin/mtools" -i new.img -v CIDATA -T 200 -h 1 -s 1 ::
"$(find "$here/bookworm/root" -name mkfs.fat -type f)" -n CIDATA mkfs.img > /dev/null
echo "mformat of Debian 12: $(partitions old.img)"
echo "mformat of Debian 13: $(partitions new.img)"
echo "mkfs.fat: $(partitions mkfs.img)"
[ "$(partitions old.img)" = "1 * 0 199 200 100K 1 FAT12" ]
[ "$(partitions new.img)" = "1 * 0 199 200 100K 1 FAT12" ]
[ -z "$(partitions mkfs.img)" ]
