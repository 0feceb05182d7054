#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# How often a boot leaves the guest for userspace. The counts are those of the kernel's and the devices' doings, not of time, so they hardly vary;
# what is allowed is a little more than what they are.
# serial
# shellcheck source=tests/host/lib.sh
. "$LIB"

# exits: to userspace, of all vCPUs, as --stats=FILE.json has them.
exits() { awk '/^  "total"/ { total = 1 } total && $1 == "\"exits\"" { sub(/,/, "", $3); print $3; exit }' stats.json; }

# at_most LIMIT NAME OPTION...
at_most() {
    limit=$1 name=$2
    shift 2
    is "$status" 0 "$name: the guest powers off"
    like "$console" 'GUEST line' "$name: it has said its line"
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
