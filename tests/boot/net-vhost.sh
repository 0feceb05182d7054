#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A network card whose packets the host's kernel moves: files both ways, several queues, long packets, a reboot in the middle of
# traffic, and no thread of eret's in the way.
# limit: 400
# root
# shellcheck source=tests/host/lib.sh
. "$LIB"
tap=eret1

checksum() { sum=$(sha256sum "$1"); echo "${sum%% *}"; }
# lines REGEX N SECONDS: until the console has N lines like it
lines() {
    deadline=$(($(date +%s) + $3))
    until [ "$(grep -c "$1" "$console")" -ge "$2" ]; do
        [ "$(date +%s)" -lt "$deadline" ] && running "$pid" || return 1
        sleep 0.2
    done
}
# How often the card's I/O thread has waited so far.
waits() { grep -l '^virtio-net0$' "/proc/$pid/task/"*/comm | sed 's/comm$/status/' | xargs sed -n 's/^voluntary_ctxt_switches:\t//p'; }

[ -e /dev/vhost-net ] || skip_all "there is no /dev/vhost-net"
command -v busybox > /dev/null || skip_all "there is no busybox"
"$FIXTURES/with-tap" "$tap" 2 true || skip_all "no tap can be made here"
ip link set "$tap" mtu 9000
ip addr add 10.78.0.1/24 dev "$tap"
ip link set "$tap" up
mkdir www
head -c 4194304 /dev/urandom > www/data
say_next() { echo "$1" > next && mv next www/next; }  # never half of it
say_next wait
busybox httpd -f -p 10.78.0.1:8080 -h www &
server=$!

start_boot net,10.78.0.2,10.78.0.1 --net "tap=$tap,queues=2,vhost=on" --cpus 2
wait_console 'GUEST ready' 90 || exit
is "$(guest ping)" 0 "the guest reaches the host"
is "$(guest fetched)" "$(checksum www/data)" "4 MiB to the guest come unchanged"
is "$(guest queues) $(guest mtu)" "2 9000" "the guest uses both queues, and has the tap's length"
check "packets of 8,000 bytes go both ways" ping -c 2 -W 20 -s 8000 10.78.0.2
before=$(waits)
wget -q -O got http://10.78.0.2/data
after=$(waits)
is "$(checksum got)" "$(checksum www/data)" "4 MiB from the guest come unchanged"
check "they wake no thread of eret's ($((after - before)) times)" [ "$((after - before))" -le 10 ]

while :; do wget -q -O /dev/null http://10.78.0.2/data; done &
load=$!
say_next reboot
check "the guest boots again in the middle of traffic" lines 'GUEST mac=' 2 90
say_next "done"
finish_eret 90
kill "$load"
is "$status" 0 "and ends well"
is "$(guest fetched)" "$(checksum www/data)" "with the network as before"
is "$(guest errors)" "0 0 0 " "without an error"

boot net,10.78.0.2,10.78.0.1 --net "tap=$tap,vhost=on" --transport mmio
is "$status" 0 "virtio-mmio, one queue: the guest powers off, status 0"
is "$(guest fetched)" "$(checksum www/data)" "4 MiB come unchanged there, too"
kill "$server"
ip link delete "$tap"
