#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A network card on a tap, by eret and by the kernel: pings and files both ways, long packets, a reboot in the middle of
# traffic; and two machines that meet at a socket.
# limit: 1500
# root
# shellcheck source=tests/host/lib.sh
. "$LIB"
# shellcheck source=tests/host/lib-net.sh
. "${LIB%.sh}-net.sh"
tap=eret0


command -v busybox > /dev/null || skip_all "there is no busybox"
# With several queues, and there until it is deleted.
make_tap "$tap" 2 9000 10.77.0.1
serve 4
serve_at 10.77.0.1:8080

start_boot net,10.77.0.2,10.77.0.1 --net "tap=$tap,queues=2,vhost=off" --cpus 2 --stats
wait_console 'GUEST ready' $patience || exit
is "$(guest ping)" 0 "the guest reaches the host"
is "$(guest fetched)" "$(checksum www/data)" "4 MiB to the guest come unchanged"
is "$(guest queues)" 2 "the guest uses both queues"
is "$(card_threads)" "virtio-net0 virtio-net0-q1 " "each of which has a thread of eret's"
is "$(guest mtu)" 9000 "the guest's packets are as long as the tap's"
check "the host reaches the guest" ping -c 2 -W 20 10.77.0.2
check "packets of 8,000 bytes go both ways" ping -c 2 -W 20 -s 8000 10.77.0.2
is "$(fetched_sum http://10.77.0.2/data)" "$(checksum www/data)" "4 MiB from the guest come unchanged"
mac=$(guest mac)

while :; do wget -q -O /dev/null http://10.77.0.2/data; done &
load=$!
say_next reboot
check "the guest boots again in the middle of traffic" lines 'GUEST mac=' 2 $patience
say_next "done"
finish_eret $patience
kill "$load" "$server"
is "$status" 0 "and ends well"
is "$(guest fetched)" "$(checksum www/data)" "with the network as before"
is "$(guest mac)" "$mac" "and the same address"
is "$(guest errors)" "0 0 0 " "without an error"
like "$errors" 'virtio-net0 ' "--stats knows the card"
like "$errors" '^  queue 3 +[0-9,]+ +[0-9,]+  [0-9,]+ done \(.*iB\)' "and what each of its queues has done"
if [ -e /dev/vhost-net ]; then
    serve_at 10.77.0.1:8080
    boot net,10.77.0.2,10.77.0.1 --net "tap=$tap,queues=2,vhost=on" --cpus 2 --stats
    kill "$server"
    is "$status" 0 "the host's kernel serves the queues: status 0"
    is "$(guest ping)$(guest errors)" "00 0 0 " "the guest reaches the host"
    is "$(guest fetched)" "$(checksum www/data)" "4 MiB come unchanged"
    unlike "$errors" 'virtio-net0 .* (receive|transmit) ' "and no frame goes by eret"
    like "$errors" '^  queue 0 .*served by /dev/vhost-net' "--stats says who serves the queues"
    like "$errors" "kernel counts to the guest [0-9,]+ packets \\([4-9]\\.[0-9] MiB\\).* from it [0-9,]+ " "and what the tap's own counts are"
else
    skip "the host's kernel serves the queues" "there is no /dev/vhost-net"
fi

run_eret --kernel "$KERNELS/6.12/Image" --net tap=no-such-tap
is "$status" 1 "a tap that is not there: status 1"
like "$errors" 'no-such-tap' "and its name"

# Two machines, of which the first is there alone for a while.
start_boot net,10.77.1.1,10.77.1.2,serve --net unix=net.sock
wait_console 'GUEST served' $patience || exit
first=$console first_pid=$pid pid=
is "$(guest carrier)" 0 "alone at a socket there is no link"
served=$(guest served)
as="$FIXTURES/with-tap $tap 2"
boot net,10.77.1.2,10.77.1.1 --net unix=net.sock,mac=02:00:00:12:34:56,mtu=1400 --net fd=10,queues=2,vhost=off --transport mmio
as=
is "$status" 0 "a second machine comes, and ends"
is "$(guest cards)" 2 "it has two cards, one on a tap by descriptors"
is "$(guest mac) $(guest mtu)" "02:00:00:12:34:56 1400" "with the address and the length that were asked for"
is "$(guest ping)" 0 "it reaches the first"
is "$(guest fetched)" "$served" "and has its file"
console=$first pid=$first_pid
finish_eret $patience
is "$status" 0 "the first one ends by itself"
like "$console" 'GUEST link=down' "as its link went down with the other"
ip link delete "$tap"
