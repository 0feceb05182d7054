#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Machines of few bits of guest physical address: everything has its place in them.
# shellcheck source=tests/host/lib.sh
. "$LIB"

cp "$FIXTURES/ext4.img" disk.img
for bits in 36 40; do
    boot disk,1 --cpus 2 --ipa-bits "$bits" --rng --console virtio --disk disk.img
    is "$status" 0 "$bits bits: the guest powers off"
    like "$console" 'GUEST sha256=[0-9a-f]{64}' "$bits bits: its disk works"
done
run_eret --kernel "$GUESTS/hello.elf" --ipa-bits 36 --memory 54G
is "$status" 0 "36 bits: 54 GiB of memory"
run_eret --kernel "$GUESTS/hello.elf" --ipa-bits 36 --memory 55G
is "$status" 2 "55 GiB have no place above the devices"
like "$errors" 'needs 37 bits' "which is said"
run_eret --kernel "$GUESTS/hello.elf" --ipa-bits 33
is "$status" 2 "33 bits are too few"
like "$errors" 'ipa-bits: 33 bits are too few: this machine needs 36 bits' "which is said"
case $KIND in
max | native) skip "52 bits are more than the host has" "this one may have them" ;;
*)
    run_eret --kernel "$GUESTS/hello.elf" --ipa-bits 52
    isnt "$status" 0 "52 bits are more than this host has"
    like "$errors" 'ipa-bits 52: the host.s CPU offers [0-9]+ bits' "which is said"
    unlike "$errors" 'memory' "and it is not the memory's fault"
    ;;
esac
run_eret --kernel "$GUESTS/hello.elf" --ipa-bits 56
isnt "$status" 0 "56 are more than there can be"
