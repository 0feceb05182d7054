#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# An ext4 file system on virtio-blk: what the guest writes is what the host finds.
# shellcheck source=tests/host/lib.sh
. "$LIB"

sum_in_image() { # IMAGE FILE
    if [ "$(id -u)" = 0 ]; then
        mkdir -p mnt
        mount -t ext4 -o loop,ro "$1" mnt || return
        sha256sum "mnt/$2" | cut -d' ' -f1
        umount mnt
    else
        debugfs -R "cat /$2" "$1" 2>/dev/null | sha256sum | cut -d' ' -f1
    fi
}

cp "$FIXTURES/ext4.img" disk.img
boot disk,8 --disk disk.img --cpus 2
is "$status" 0 "the guest powers off, status 0"
like "$console" 'GUEST sha256=[0-9a-f]{64}' "it has written 8 MiB"
is "$(sum_in_image disk.img data)" "$(guest sha256)" "the host finds the same bytes"
