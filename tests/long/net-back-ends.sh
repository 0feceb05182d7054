#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Two machines with network cards and sockets of every kind: 100 MiB go both ways by each of them, unchanged, and datagrams.
# limit: 3000
# root
# shellcheck source=tests/host/lib.sh
. "$LIB"
# shellcheck source=tests/host/lib-net.sh
. "${LIB%.sh}-net.sh"
PATH=$PATH:$FIXTURES  # Debian's passt, where the host has none
stream=$GUESTS/vsock-stream
MIB=$(usual 100 16)

command -v busybox > /dev/null || skip_all "there is no busybox"
[ -e /dev/vhost-net ] || skip_all "there is no /dev/vhost-net"
[ -e /dev/vhost-vsock ] || skip_all "there is no /dev/vhost-vsock"
own_network
make_tap eret0 2 9000 10.79.0.1
make_tap eret1 2 9000 10.79.1.1
serve "$MIB"
cp "$FIXTURES/udp" www/
: > www/ready
serve_at 0.0.0.0:8080
sum=$(checksum www/data)
"$stream" socket:vm_1000 echo > /dev/null 3>&- &
"$stream" listen:1000 echo > /dev/null 3>&- &

# Debian 13's passt speaks vhost-user: one of its own for a card that is a device like any other, and what eret starts by itself.
# Its network is another than that of the one beside it, or the guest would not know which way to answer.
daemons=$FIXTURES/debian-13/bin
PATH=$daemons:$PATH
passt -f --vhost-user -s "$PWD/generic.sock" -a 10.83.0.2 -n 24 -g 10.83.0.1 -t 8085:80 -u 8086:7 2> generic.log 3>&- &
await_socket generic.sock
start_boot net-ways,1000,wire:10.79.2.2:10.79.2.1:80,user:dhcp:8080,device:dhcp:8080 --net unix=wire,mtu=9000 --vsock 79 \
    --net user,forward=8083:80,forward=8084:7/udp --device "vhost-user=$PWD/generic.sock,type=net,queues=2"
keep second
PATH=${PATH#"$daemons:"}
start_boot net-ways,1000,tap:10.79.0.2:10.79.0.1:8080,vhost:10.79.1.2:10.79.1.1:8080,user:dhcp:8080,wire:10.79.2.1:10.79.2.2:80 --cpus 2 --memory 768M --stats \
    --net tap=eret0,queues=2,vhost=off --net tap=eret1,queues=2,vhost=on --net user,forward=8081:80,forward=8082:7/udp --net unix=wire,mtu=9000 --vsock auto,unix=vm
keep first

# both WAY KEY VALUE PLACE UDP-PORT: KEY=VALUE is what the guest says if all came to it.
both() {
    is "$(guest "$2")" "$3" "$1: $MIB MiB to the guest come unchanged"
    check "$1: and from it" is_data "http://$4/data"
    check "$1: a datagram goes to the guest, and comes back" "$FIXTURES/udp" ask "${4%:*}" "$5" hello
}

back_to second
wait_console 'GUEST ready' 1500 || exit
is "$(guest sum-wire)" "$sum" "between two machines: $MIB MiB come unchanged"
is "$(guest vsock)" 0 "sockets by the host's kernel: $MIB MiB to the host come back"
"$stream" -w "$patience" vsock:79:5000 exchange 1000000 3>&-
is "$?" 0 "and a MB to the guest"
both "passt by vhost-user" differs-user 0 127.0.0.1:8083 8084
both "passt as any vhost-user device" differs-device 0 127.0.0.1:8085 8086

back_to first
wait_console 'GUEST ready' 1500 || exit
both "a tap" sum-tap "$sum" 10.79.0.2:80 7
both "a tap of vhost's" differs-vhost 0 10.79.1.2:80 7
both passt differs-user 0 127.0.0.1:8081 8082
is "$(guest mtu-tap) $(guest mtu-vhost) $(guest mtu-wire)" "9000 9000 9000" "packets are as long as 9,000 bytes"
check "a tap: such packets come and go" ping -c 3 -W 60 -s 8972 10.79.0.2
check "a tap of vhost's: such packets come and go" ping -c 3 -W 60 -s 8972 10.79.1.2
is "$(guest differs-wire)" 0 "between two machines: and back"
is "$(guest vsock)" 0 "sockets by way of local ones: $MIB MiB to the host come back"
"$stream" -w "$patience" hybrid:vm:5000 exchange 1000000 3>&-
is "$?" 0 "and a MB to the guest"

: > www/done
back_to second
finish_eret "$patience"
is "$status $(guest errors)" "0 0 " "the second machine ends well, without errors"
back_to first
finish_eret "$patience"
is "$status $(guest errors)" "0 0 " "and the first, as its link goes down"
unlike "$errors" 'dropped: (bad|longer|left undone|forbidden)' "no frame was dropped that should not have been"
