#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# How often a boot leaves the guest for userspace. The counts are those of the kernel's and the devices' doings, not of time, so they hardly vary;
# what is allowed is a little more than what they are.
# serial
# limit: 600
# shellcheck source=tests/host/lib.sh
. "$LIB"
# shellcheck source=tests/host/lib-net.sh
. "${LIB%.sh}-net.sh"

# exits: to userspace, of all vCPUs, as --stats=FILE.json has them.
exits() { awk '/^  "total"/ { total = 1 } total && $1 == "\"exits\"" { sub(/,/, "", $3); print $3; exit }' stats.json; }

# at_most LIMIT NAME [LINE]
at_most() {
    limit=$1 name=$2
    is "$status" 0 "$name: the guest powers off"
    like "$console" "${3:-GUEST line}" "$name: it has said its line"
    count=$(exits)
    check "$name: at most $limit exits to userspace (it took $count)" [ "$count" -gt 0 -a "$count" -le "$limit" ]
}

cp "$FIXTURES/ext4.img" disk.img
boot line --memory 256M --stats=stats.json
at_most 60 "PL011"
boot line,vda --memory 256M --console virtio --disk disk.img --stats=stats.json
at_most 100 "virtio-console and a disk"

boot line --memory 256M --exits all --stats=stats.json
is "$status" 0 "--exits all: the guest powers off"
check "--exits all: several times as many ($(exits))" [ "$(exits)" -gt 200 ]

# With a network card and an address by DHCP.
command -v busybox > /dev/null || skip_all "there is no busybox"
make_tap eret2 1 1500 10.79.0.1
: > leases
cat > udhcpd.conf << END
interface eret2
start 10.79.0.20
end 10.79.0.30
lease_file $PWD/leases
pidfile $PWD/udhcpd.pid
option subnet 255.255.255.0
END
busybox udhcpd -f udhcpd.conf 3>&- &
dhcp=$!
for vhost in off $([ ! -e /dev/vhost-net ] || echo on); do
    boot dhcp --memory 256M --net "tap=eret2,vhost=$vhost" --stats=stats.json
    at_most 105 "a network card, vhost=$vhost" 'GUEST address=10.79.0.[23]'
done
kill "$dhcp"
ip link delete eret2
