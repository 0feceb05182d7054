#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What is typed reaches the guest, on both consoles.
# shellcheck source=tests/host/lib.sh
. "$LIB"

for device in pl011 virtio; do
    start_boot console-echo --console "$device"
    wait_console 'GUEST ready' 60
    send 'first line\n'
    wait_console 'GUEST echo: first line' 20 && passed "$device: a line comes back"
    # More than the PL011's FIFO holds, at once.
    send 'the quick brown fox jumps over the lazy dog and then over it once more\n0123456789\n'
    wait_console 'GUEST echo: 0123456789' 20
    like "$console" 'GUEST echo: the quick brown fox jumps over the lazy dog and then over it once more' "$device: a long line comes back whole"
    send 'quit\n'
    finish_eret 30
    is "$status" 0 "$device: the guest ends"
done
