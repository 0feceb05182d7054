#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016  # what stands in single quotes is for the guest's shell
# eret exec with network cards: the guest's init asks a DHCP server, and the command finds addresses, routes and names.
# root
# shellcheck source=tests/host/lib.sh
. "$LIB"
tap=eret1

command -v busybox > /dev/null || skip_all "there is no busybox"
"$FIXTURES/with-tap" "$tap" 1 true || skip_all "no tap can be made here"
ip addr add 10.78.0.1/24 dev "$tap"
ip link set "$tap" up
mkdir www
echo 'from the host' > www/data
: > leases
cat > udhcpd.conf << END
interface $tap
start 10.78.0.20
end 10.78.0.30
lease_file $PWD/leases
pidfile $PWD/udhcpd.pid
option subnet 255.255.255.0
option router 10.78.0.1
option dns 10.78.0.1 10.78.0.2
option domain example.net
option mtu 1400
END
busybox udhcpd -f udhcpd.conf &
dhcp=$!
busybox httpd -f -p 10.78.0.1:8080 -h www &
http=$!

run_exec --net "tap=$tap" -- sh -c '
    wget -q -O - http://10.78.0.1:8080/data; cat /etc/resolv.conf; ip -4 -o addr show dev eth0 | grep -o "10.78.0.[0-9/]* brd [0-9.]*"
    ip route; cat /sys/class/net/eth0/mtu; ip -4 -o addr show | grep -c inet'
is "$status" 0 "a command with a network card: status 0"
cat > wanted << END
from the host
search example.net
nameserver 10.78.0.1
nameserver 10.78.0.2
10.78.0.20/24 brd 10.78.0.255
default via 10.78.0.1 dev eth0
10.78.0.0/24 dev eth0 scope link  src 10.78.0.20
1400
2
END
sed -i 's|^10.78.0.2[0-9]/|10.78.0.20/|; s|src 10.78.0.2[0-9]|src 10.78.0.20|; s| *$||' out
is "$(cat out)" "$(cat wanted)" "it reaches the host, and finds address, routes, names, the packets' length, and a loopback"
is "$(cat "$errors")" "" "and there is nothing to be said"

# A root of its own, whose /etc/resolv.conf leads nowhere.
mkdir -p root/bin root/etc
cp "$KERNELS/../bin/busybox" root/bin/ 2> /dev/null || cp /bin/busybox root/bin/
ln -s busybox root/bin/sh
ln -s ../run/nowhere/resolv.conf root/etc/resolv.conf
cat > net.ini << END
[wget]
kernel = $image
rootfs = root
net = tap=$tap
command = sh -c 'busybox wget -q -O - http://10.78.0.1:8080/data; busybox cat /etc/resolv.conf'
expect = from the host; nameserver 10.78.0.2
END
new_guest
"$ERET" test net.ini > out 2> "$errors" 3>&- < /dev/null
is "$?" 0 "a suite's test with net"
is "$(readlink root/etc/resolv.conf)" ../run/nowhere/resolv.conf "the root on the host is as it was"

kill "$dhcp"
wait "$dhcp"
run_exec --net "tap=$tap" --net unix=nobody.sock -- sh -c 'ip -4 -o addr | grep -c inet; exit 3'
is "$status:$(cat out)" 3:1 "without a server the command runs, with the loopback"
cat > wanted << END
eret: network card 1 (eth0): it has no address, as no DHCP server answered within 10 s
eret: network card 2 (eth1): it has no address, as its link is down
END
is "$(cat "$errors")" "$(cat wanted)" "and it is told, card by card"
kill "$http"
ip link delete "$tap"
