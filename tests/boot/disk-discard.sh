#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What the guest discards is given back to the host, unless that is not wanted.
# shellcheck source=tests/host/lib.sh
. "$LIB"

kib() { du -k "$1" | cut -f 1; }

cp "$FIXTURES/ext4.img" plain.img
cp "$FIXTURES/ext4.img" kept.img
boot disk-discard --disk plain.img
is "$status" 0 "the guest powers off, status 0"
like "$console" 'GUEST done' "it has written 8 MiB, and removed them"
check "the disk can discard" [ "$(guest discard-bytes)" -gt 0 ]
check "and write zeros" [ "$(guest zeroes-bytes)" -gt 0 ]
boot disk-discard --disk kept.img,discard=off
is "$status" 0 "discard=off: the guest powers off, status 0"
is "$(guest discard-bytes)" 0 "discard=off: the disk cannot discard"
check "the file takes 7 MiB less than the other ($(kib plain.img) and $(kib kept.img) KiB)" [ "$(kib plain.img)" -le $(($(kib kept.img) - 7168)) ]
