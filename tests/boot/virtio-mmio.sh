#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# virtio-mmio: disk and random numbers behind the memory-mapped transport.
# shellcheck source=tests/host/lib.sh
. "$LIB"

cp "$FIXTURES/ext4.img" disk.img
boot disk,2 --transport mmio --disk disk.img --rng
is "$status" 0 "the guest powers off, status 0"
like "$console" 'GUEST sha256=[0-9a-f]{64}' "it writes to the disk"
sum=$(guest sha256)
boot disk-check --transport mmio --disk disk.img
is "$(guest sha256)" "$sum" "a second guest reads the same"

boot boot --transport mmio --disk disk.img --rng --console virtio
like "$console" 'GUEST virtio=virtio[0-9]*:0x0002' "the disk is there"
like "$console" 'GUEST virtio=virtio[0-9]*:0x0003' "the console is there"
like "$console" 'GUEST virtio=virtio[0-9]*:0x0004' "the random numbers are there"
no_warnings "the kernel warns of nothing"
