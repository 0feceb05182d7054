#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A machine with network cards and sockets of every kind boots ten times again, each time in the midst of traffic both ways: all are as they
# were, and eret has no more open, nor more memory, than after the first time.
# limit: 3000
# root
# shellcheck source=tests/host/lib.sh
. "$LIB"
# shellcheck source=tests/host/lib-net.sh
. "${LIB%.sh}-net.sh"
PATH=$PATH:$FIXTURES  # Debian's passt, where the host has none
stream=$GUESTS/vsock-stream
reboots=$(usual 10 2)

command -v busybox > /dev/null || skip_all "there is no busybox"
command -v passt > /dev/null || skip_all "there is no passt"
[ -e /dev/vhost-net ] || skip_all "there is no /dev/vhost-net"
own_network
make_tap eret0 2 9000 10.81.0.1
make_tap eret1 2 9000 10.81.1.1
serve 4
head -c 200000 /dev/urandom > www/small
checksum www/small > www/small.sum
serve_at 0.0.0.0:8080
"$stream" -n 100000 socket:vm_1001 echo > /dev/null 3>&- 2>&1 &
truncate -s 1M count.img

# Without the guest's memory.
private() {
    awk '
        /^[0-9a-f]+-[0-9a-f]+ / { size = 0 }
        $1 == "Size:" { size = $2 }
        $1 == "Private_Dirty:" && size < 262144 / 2 { sum += $2 }
        END { print sum }' "/proc/$pid/smaps"
}
cards="tap vhost user"
start_boot net-reboots,1001,tap:10.81.0.2:10.81.0.1:8080,vhost:10.81.1.2:10.81.1.1:8080,user:dhcp:8080 --cpus 2 --memory 256M --disk count.img \
    --net tap=eret0,queues=2,vhost=off --net tap=eret1,queues=2,vhost=on --net user,forward=8081:80 --vsock auto,unix=vm
while :; do
    for place in 10.81.0.2:80 10.81.1.2:80 127.0.0.1:8081; do
        timeout 10 wget -q -O /dev/null "http://$place/data" 2> /dev/null || sleep 0.5
    done
done 3>&- &
boot=1
while [ "$boot" -le $((reboots + 1)) ]; do
    wait_console "GUEST boot-$boot=" "$patience" || exit
    is "$(guest "boot-$boot")" "$cards vsock" "boot $boot: what all of them fetch is whole"
    [ "$boot" != 2 ] || before=$(descriptors) memory=$(private)
    [ "$boot" = $((reboots + 1)) ] || : > "www/boot-$boot"
    boot=$((boot + 1))
done
check "eret's descriptors are no more than after the first ($before, then $(descriptors))" test "$(descriptors)" -le $((before + 3))
check "and its memory does not grow ($memory, then $(private) KiB)" test "$(private)" -le $((memory + 1024))
: > www/done
finish_eret "$patience"
is "$status $(guest errors)" "0 0 " "it ends well, without errors"
