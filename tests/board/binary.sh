#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What the program's file promises the host: position-independent, everything bound at the start and then read-only, no
# memory both written and executed, branches and returns guarded. Prints TAP.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

eret=build/arm64/eret
readelf=readelf
! command -v aarch64-linux-gnu-readelf > /dev/null || readelf=aarch64-linux-gnu-readelf
if ! [ -x $eret ] || ! command -v $readelf > /dev/null; then
    echo "1..0 # SKIP no $eret, or no readelf"
    exit 0
fi

$readelf -hW $eret > "$work/header"
$readelf -lW $eret | sed '/Section to Segment/,$d' > "$work/segments"
$readelf -dW $eret > "$work/dynamic"
$readelf -nW $eret > "$work/notes"
$readelf -sW $eret > "$work/symbols"

like "$work/header" 'Type: +DYN' "it can lie anywhere"
like "$work/dynamic" 'BIND_NOW|FLAGS.* NOW' "all functions are bound before it starts"
like "$work/segments" ' GNU_RELRO ' "and their table is read-only then"
like "$work/segments" ' GNU_STACK .* RW ' "the stack is not executable"
unlike "$work/segments" ' (LOAD|GNU_STACK|GNU_RELRO) .* (RWE|W E) ' "no segment is both written and executed"
awk '$1 == "LOAD" && / R E /' "$work/segments" > "$work/code"
[ "$(wc -l < "$work/code")" = 1 ]
result $? "code is in one segment" "$work/code"
$readelf -SW $eret | sed -n 's/^ *\[ *[0-9]*\] //p' | awk '$1 == ".rodata" || $1 == ".eh_frame" || $1 == ".dynstr" { print $1, $3 }' > "$work/data"
{
    read -r _ _ begin _ _ size _ < "$work/code"
    while read -r name address; do
        ((16#$address < begin || 16#$address >= begin + size)) || echo "$name at 0x$address is within the code"
    done < "$work/data"
} > "$work/mixed"
[ -s "$work/data" ] && ! [ -s "$work/mixed" ]
result $? "which has no data in it" "$work/mixed"
like "$work/notes" 'AArch64 feature: .*BTI' "all of it takes indirect branches at marked places only"
like "$work/notes" 'AArch64 feature: .*PAC' "and signs its return addresses"
like "$work/segments" ' GNU_PROPERTY ' "which the kernel and the dynamic linker are told"
like "$work/symbols" ' __stack_chk_fail' "stacks have canaries"
like "$work/symbols" ' __(memcpy|snprintf|vsnprintf|read)_chk' "calls that know the size of their buffer check it"

# The table of functions of lazily loaded libraries lies in what is read-only after the start.
{
    read -r slots < <(awk '$8 == "lazy_slots" { print $2 }' "$work/symbols")
    read -r begin size < <(awk '$1 == "GNU_RELRO" { print $3, $6 }' "$work/segments")
    echo "lazy_slots at 0x$slots, read-only from $begin, $size bytes"
} > "$work/slots"
[ -n "$slots" ] && ((16#$slots >= begin && 16#$slots < begin + size))
result $? "the table of lazily bound functions is read-only as well" "$work/slots"
plan
