#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A program in the guest calls eret through the doorbell page: eret-guest.
# shellcheck source=tests/host/lib.sh
. "$LIB"

boot eret-guest,17
is "$status" 17 "eret-guest exit 17: the exit status of eret"
unlike "$console" 'GUEST bad' "no command goes wrong"
is "$(grep -c 'GUEST fine=' "$console")" 6 "version, mark, ready, print, time and nop succeed"
like "$console" 'hello from user space' "print: the text is on the console"
like "$errors" '^eret: mark [0-9]+ init-done at [0-9.]+ s' "mark: eret tells it, with the time"
like "$errors" '^eret: ready at [0-9.]+ s' "ready: so it does"
