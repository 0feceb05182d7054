#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A driver that breaks all the rules of virtqueues, with every kind of virtio device, by PCI and by MMIO: each device says
# so or refuses, works again after a new start, and no other device stops meanwhile.
# root
# limit: 900
# shellcheck source=tests/host/lib.sh
. "$LIB"
# shellcheck source=tests/host/lib-net.sh
. "${LIB%.sh}-net.sh"
program=$GUESTS/queues-hostile
tap=eret-queues

# judge FILE BEHIND: what the guest has said there; each way that went wrong is a test of its own that fails.
judge() {
    tr -d '\r' < "$1" | sed -n 's/^.*\(not ok .*\)/\1/p' > wrong
    while read -r line; do
        failed "$2: ${line#not ok * - }"
    done < wrong
    like "$1" 'PASS queues-hostile' "$2: $(grep -c ', and works again' "$1") ways to break the rules, and all devices work after each"
}

# hostile BEHIND OPTION...
hostile() {
    behind=$1
    shift
    start_eret --kernel "$program" --cpus 2 --rng "$@"
    [ -z "$typed" ] || send "$typed"
    [ -z "$pressed" ] || { wait_console "^seed" $patience && kill -TERM "$pid"; }
    finish_eret $patience
    judge "$console" "$behind"
    is "$status" 0 "$behind: eret lives, status 0"
}

printf queues > disk.img
truncate -s 1M disk.img
make_tap "$tap" 2 1500 10.77.2.1

# What somebody has typed, and what a key has brought, waits for buffers.
typed=$(printf '%04000d' 0) pressed=''
for transport in pci mmio; do
    hostile $transport --append "input not=18" --transport $transport --console virtio --disk disk.img,queues=2 \
        --net "tap=$tap,queues=2,vhost=off" --vsock 5,unix=vm
    rm -f vm
done
typed='' pressed=yes
hostile "a key" --append "input only=18" --disk disk.img --power-button virtio --grace $patience
pressed=''

# Others serve the queues: the host's kernel, and a program that ends for a chain that it cannot bear.
while :; do "$GUESTS/rng-back-end" rng.sock 90 3>&-; done > back-end.log 2>&1 &
back_ends=$!
await_socket rng.sock
hostile "served elsewhere" --append elsewhere --net "tap=$tap,queues=2,vhost=on" --vsock auto --device vhost-user=rng.sock,type=rng
kill "$back_ends"
hostile "served elsewhere, mmio" --append "elsewhere not=4" --transport mmio --net "tap=$tap,queues=2,vhost=on" --vsock auto

# The ports of a command that there is nobody to start: 248, the guest has ended without it.
image=$program
run_exec --append "console=hvc only=3" --cpus 2 --rng --console-log log -- true
judge log "ports"
is "$status" 248 "ports: eret lives, and knows of no command"
