#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The host's file system is full: the guest gets an I/O error, eret lives on.
# root
# shellcheck source=tests/host/lib.sh
. "$LIB"

mkdir small
check "a file system of 4 MiB" mount -t tmpfs -o size=4m tmpfs small || exit
truncate -s 16M small/disk.img
boot disk-full --disk small/disk.img
umount -l small
is "$status" 0 "the guest powers off, status 0"
isnt "$(guest dd-status)" 0 "a write fails in the guest"
like "$console" 'GUEST written-mib=[34]$|GUEST written-mib=[34][^0-9]' "as soon as the host has no room"
is "$(guest sector0-foreign-bytes)" 0 "what was written before can still be read"
like "$console" 'GUEST alive' "the guest lives on"
like "$errors" 'virtio-blk0: a write failed: small/disk\.img: No space left on device' "and eret says why"
