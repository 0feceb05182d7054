#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# --stats: a table at the end and on SIGUSR1, JSON into a file, and nothing without it.
# shellcheck source=tests/host/lib.sh
. "$LIB"

start_boot idle --cpus 2 --rng --stats
wait_console 'GUEST idle' 120 || exit
kill -USR1 "$pid"
i=0
until grep -q '^ended \|^exit by' "$errors" || [ $i = 100 ]; do sleep 0.2; i=$((i + 1)); done
like "$errors" 'first instruction' "SIGUSR1: the boot's steps"
like "$errors" 'pl011 UARTDR write' "SIGUSR1: exits by device and register"
unlike "$errors" 'guest end' "SIGUSR1: the guest goes on"
kill -TERM "$pid"
finish_eret 120
is "$status" 0 "it powers off, status 0"
is "$(grep -c '^vCPU' "$errors")" 2 "and shows statistics again"
like "$errors" 'guest end' "with the end of the guest"
like "$errors" '^exits +[0-9,]+ +[0-9,]+ +[0-9,]+$' "and KVM's own count of exits: of each vCPU, and all"

truncate -s 1M disk.img
boot boot --disk disk.img --stats=stats.json
is "$status" 0 "with a file: status 0"
check "the file has the disk's requests" grep -q '"name" : "virtio-blk0"' stats.json
check "and the kernel's first sign of life" grep -q '"phase" : "first-exit"' stats.json
check "and when the disk was read first" grep -q '"phase" : "first-disk-request"' stats.json
unlike "$errors" 'first instruction' "and standard error has nothing of it"
boot boot --disk disk.img --console virtio --stats=queues.json
check "a device with several queues: what each has done" grep -q '"index" : 1' queues.json
check "nothing was dropped" grep -q '"events" : \[' queues.json

start_boot idle
wait_console 'GUEST idle' 120 || exit
kill -USR1 "$pid"
i=0
until grep -q -e '--stats' "$errors" || [ $i = 100 ]; do sleep 0.2; i=$((i + 1)); done
like "$errors" 'no statistics are kept: start with --stats' "SIGUSR1 without --stats: says so"
kill -TERM "$pid"
finish_eret 120
is "$status" 0 "and it lives on until its power-off"
