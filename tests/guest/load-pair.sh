#!/bin/sh
# An access that cannot be emulated ends the machine, with an explanation.
# shellcheck source=tests/host/lib.sh
. "$LIB"

run_eret --kernel "$GUESTS/load-pair.elf"
like "$console" 'reading a pair' "the guest starts"
unlike "$console" 'still alive' "and gets no further"
is "$status" 5 "status 5"
like "$errors" '[Pp][Cc] .*0*4008[0-9a-f]{4}' "the program counter"
like "$errors" '[Xx]3 .*0*9000000' "the registers"
like "$errors" '[Dd]ata abort|LDP|load.*pair|syndrome' "what happened, decoded"
