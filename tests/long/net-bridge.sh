#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Four machines on a bridge of the host's, with packets of 9,000 bytes: each reaches each, and fetches what it serves, all at a time.
# limit: 1500
# root
# shellcheck source=tests/host/lib.sh
. "$LIB"
# shellcheck source=tests/host/lib-net.sh
. "${LIB%.sh}-net.sh"
MIB=4

command -v busybox > /dev/null || skip_all "there is no busybox"
own_network
ip link add eret-bridge type bridge 2> /dev/null || skip_all "no bridge can be made here"
for n in 1 2 3 4; do
    make_tap "eret$n" 2 9000
    ip link set "eret$n" master eret-bridge
done
ip link set eret-bridge mtu 9000
ip addr add 10.80.0.254/24 dev eret-bridge
ip link set eret-bridge up
mkdir www
serve_at 10.80.0.254:8080

# start N OPTION...
start() {
    n=$1
    shift
    others=
    for peer in 1 2 3 4; do [ "$peer" = "$n" ] || others="$others,10.80.0.$peer"; done
    start_boot "net-bridge,$MIB,10.80.0.254,10.80.0.$n$others" --memory 256M "$@"
    keep "$n"
}
vhost=on
[ -e /dev/vhost-net ] || vhost=off
start 1 --net tap=eret1,vhost=off
start 2 --net tap=eret2,queues=2,vhost=off --cpus 2
start 3 --net "tap=eret3,vhost=$vhost"
start 4 --net "tap=eret4,queues=2,vhost=$vhost" --cpus 2 --transport mmio

for n in 1 2 3 4; do
    back_to "$n"
    wait_console 'GUEST ready' 900 || exit
    is "$(guest mtu)" 9000 "machine $n: packets of 9,000 bytes"
    for peer in 1 2 3 4; do
        [ "$peer" = "$n" ] || is "$(guest "ping-10.80.0.$peer") $(guest "fetched-10.80.0.$peer")" "0 0" "machine $n reaches $peer, and has its $MIB MiB"
    done
    check "the host reaches machine $n" ping -c 2 -W 60 -s 8000 "10.80.0.$n"
done
: > www/done
for n in 1 2 3 4; do
    back_to "$n"
    finish_eret "$patience"
    is "$status $(guest errors)" "0 0 " "machine $n ends well, without errors"
done
