#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A program that attacks the firmware configuration device and its DMA: what it asks for is done or refused as it should
# be, nothing else is written, and eret's memory does not grow.
# limit: 120
# shellcheck source=tests/host/lib.sh
. "$LIB"

# peak: the most memory that eret has had so far, in KiB
peak() { sed -n 's/^VmHWM:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$pid/status"; }

# Byte n is 7 * n, modulo 256.
i=0
while [ "$i" -lt 1000 ]; do
    # shellcheck disable=SC2059  # the escape is made here
    printf "\\$(printf %03o $((7 * i % 256)))"
    i=$((i + 1))
done > pattern

start_eret --kernel "$GUESTS/fw-cfg-hostile" --append wait --cpus 2 --memory 64M --fw-cfg name=opt/pattern,file=pattern \
    --fw-cfg name=opt/another,string=text --stats
wait_console '^settled' 60 || exit
before=$(peak)
send x
wait_console '^done' 100 || exit
after=$(peak)
send x
finish_eret 20
like "$console" '^PASS fw-cfg-hostile' "each request is carried out or refused as it should be"
unlike "$console" '^not ok' "without exception"
is "$status" 0 "eret lives, status 0"
check "its memory does not grow ($before, then $after KiB)" test "$((after - before))" -lt 2048
like "$errors" 'fw-cfg' "what happened is counted"
like "$errors" 'selects: opt/pattern' "by the items' names"

run_eret --kernel "$GUESTS/fw-cfg-hostile"
like "$console" '^SKIP fw-cfg-hostile' "without an item there is no such device"
