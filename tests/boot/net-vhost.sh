#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A network card whose packets the host's kernel moves: files both ways, several queues, long packets, a reboot in the middle of
# traffic, and no thread of eret's in the way.
# limit: 1200
# root
# shellcheck source=tests/host/lib.sh
. "$LIB"
# shellcheck source=tests/host/lib-net.sh
. "${LIB%.sh}-net.sh"
tap=eret1

# How often the guest has left for userspace so far, as --stats=FILE.json says at SIGUSR1.
exits() {
    rm -f stats.json
    kill -USR1 "$pid"
    until grep -qs '^}' stats.json; do running "$pid" || return; sleep 0.1; done
    awk '/^  "total"/ { total = 1 } total && $1 == "\"exits\"" { sub(/,/, "", $3); print $3; exit }' stats.json
}

[ -e /dev/vhost-net ] || skip_all "there is no /dev/vhost-net"
command -v busybox > /dev/null || skip_all "there is no busybox"
make_tap "$tap" 2 9000 10.78.0.1
serve 4
serve_at 10.78.0.1:8080

start_boot net,10.78.0.2,10.78.0.1 --net "tap=$tap,queues=2,vhost=on" --cpus 2 --stats=stats.json
wait_console 'GUEST ready' $patience || exit
is "$(guest ping)" 0 "the guest reaches the host"
is "$(guest fetched)" "$(checksum www/data)" "4 MiB to the guest come unchanged"
is "$(guest queues) $(guest mtu)" "2 9000" "the guest uses both queues, and has the tap's length"
is "$(card_threads)" "virtio-net0 " "and neither has a thread of eret's"
check "packets of 8,000 bytes go both ways" ping -c 2 -W 20 -s 8000 10.78.0.2
exits_before=$(exits)
before=$(waits virtio-net0)
sum=$(fetched_sum http://10.78.0.2/data)
after=$(waits virtio-net0)
exits_after=$(exits)
is "$sum" "$(checksum www/data)" "4 MiB from the guest come unchanged"
check "they wake no thread of eret's ($((after - before)) times)" [ "$((after - before))" -le 10 ]
is "$((exits_after - exits_before))" 0 "and the guest does not leave for userspace"

while :; do wget -q -O /dev/null http://10.78.0.2/data; done &
load=$!
say_next reboot
check "the guest boots again in the middle of traffic" lines 'GUEST mac=' 2 $patience
say_next "done"
finish_eret $patience
kill "$load"
is "$status" 0 "and ends well"
is "$(guest fetched)" "$(checksum www/data)" "with the network as before"
is "$(guest errors)" "0 0 0 " "without an error"

boot net,10.78.0.2,10.78.0.1 --net "tap=$tap,vhost=on" --transport mmio
is "$status" 0 "virtio-mmio, one queue: the guest powers off, status 0"
is "$(guest fetched)" "$(checksum www/data)" "4 MiB come unchanged there, too"
kill "$server"
ip link delete "$tap"
