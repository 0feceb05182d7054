#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What the guest has synced survives kill -9 of eret.
# shellcheck source=tests/host/lib.sh
. "$LIB"

cp "$FIXTURES/ext4.img" disk.img
start_boot disk-crash,4 --disk disk.img
wait_console 'GUEST synced' 60
sum=$(guest sha256)
sleep 1  # it goes on writing meanwhile
kill -KILL "$pid"
finish_eret 10
is "$status" 137 "eret is killed while the guest writes"
boot disk-check --disk disk.img
is "$status" 0 "the next guest mounts the disk, and powers off"
is "$(guest sha256)" "$sum" "and finds what was synced"
