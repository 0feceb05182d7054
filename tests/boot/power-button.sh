#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# SIGTERM presses the power button; a guest that does not listen is stopped after the grace period, or by the second SIGTERM.
# shellcheck source=tests/host/lib.sh
. "$LIB"

start_boot powerbutton
wait_console 'GUEST waiting-for-power-button' 60
kill -TERM "$pid"
finish_eret 60
like "$console" 'GUEST power-button-pressed' "the guest sees the button"
is "$status" 0 "it powers off cleanly, status 0"

# As a distribution's guest has it: a disk, and a kernel without a driver for keys on GPIO lines.
cp "$FIXTURES/ext4.img" disk.img
start_boot powerbutton,input,suspend --disk disk.img --grace 60
wait_console 'GUEST suspending' 60
sleep 4
unlike "$console" 'GUEST (awake|power-button-pressed)' "the guest has suspended itself"
kill -TERM "$pid"
finish_eret 90
like "$console" 'GUEST awake' "the button wakes it up, though the driver of its device sleeps too"
like "$console" 'GUEST input=eret power button' "with a disk there is a key of an input device too"
like "$console" 'GUEST power-button-pressed' "it is pressed and released"
is "$status" 0 "it powers off cleanly, status 0"

start_boot powerbutton,input --cpus 2 --power-button virtio --transport mmio
wait_console 'GUEST waiting-for-power-button' 60
kill -TERM "$pid"
finish_eret 60
like "$console" 'GUEST power-button-pressed' "and alone, by virtio-mmio"

start_boot powerbutton --cpus 2
wait_console 'GUEST waiting-for-power-button' 60
kill -INT "$pid"
finish_eret 60
is "$status" 0 "SIGINT without a terminal does the same"

start_boot deaf --grace 2
wait_console 'GUEST deaf' 60
kill -TERM "$pid"
finish_eret 30
is "$status" 4 "a deaf guest is stopped after the grace period, status 4"

start_boot deaf --grace 600
wait_console 'GUEST deaf' 60
kill -TERM "$pid"
sleep 1
check "one SIGTERM leaves it running" running "$pid"
kill -TERM "$pid"
finish_eret 30
is "$status" 4 "the second SIGTERM stops it at once, status 4"
