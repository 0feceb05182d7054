#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The shell that `make run` gives on a terminal: a command typed into it, then poweroff, exit, reboot.
# shellcheck source=tests/host/lib.sh
. "$LIB"

shell() { start_eret --kernel "$KERNELS/6.12/Image" --initrd "$KERNELS/6.12/initrd" --append 'quiet eret.mode=shell' "$@"; }

shell
wait_console 'guest:/# ' 60
# shellcheck disable=SC2016  # for the shell in the guest
send 'echo $((6 * 7)) times\n'
wait_console '^42 times' 20 && passed "a command's output comes back"
send 'sleep 1000\n'
sleep 1
send '\003'
wait_console '\^C' 20
# shellcheck disable=SC2016  # for the shell in the guest
send 'echo $((2 * 21 + 1)) awake\n'
wait_console '^43 awake' 20 && passed "Ctrl-C interrupts a program"
send 'poweroff\n'
finish_eret 30
is "$status" 0 "poweroff ends the machine"

shell
wait_console 'guest:/# ' 60
send 'exit\n'
finish_eret 30
is "$status" 0 "exit powers off"

shell --no-reboot
wait_console 'guest:/# ' 60
send 'reboot\n'
finish_eret 30
is "$status" 3 "reboot reboots"
