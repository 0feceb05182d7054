#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Sockets between guest and host, by way of local ones: both directions, halves that end one after the other, a reboot
# with connections open.
# limit: 1500
# shellcheck source=tests/host/lib.sh
. "$LIB"
# shellcheck source=tests/host/lib-net.sh
. "${LIB%.sh}-net.sh"
stream=$GUESTS/vsock-stream

# both_ways KERNEL OPTION...
both_ways() {
    kernel=$1
    shift
    rm -f count.img && truncate -s 1M count.img
    "$stream" -n 19 socket:vm_1000 echo > /dev/null 3>&- &
    echo=$!
    start_boot vsock --vsock auto,unix=vm --disk count.img "$@"
    "$stream" -w $patience hybrid:vm:5000 exchange 1048576 3>&-
    is "$?" 0 "$kernel: a MiB from host to guest comes back"
    "$stream" -n 16 -w $patience hybrid:vm:5000 exchange 20000 3>&-
    is "$?" 0 "$kernel: sixteen at a time"
    "$stream" -w $patience hybrid:vm:5001 hold > held 3>&-
    is "$(tr '\n' ' ' < held)" "open closed " "$kernel: the host sees the end of a connection that was open at a reboot"
    finish_eret $patience
    wait "$echo"
    is "$?" 0 "$kernel: the host's ends of the guest's connections have ended well"
    is "$status" 0 "$kernel: the guest powers off, status 0"
    is "$(guest to-host-0)" 0 "$kernel: a MiB from guest to host comes back"
    is "$(guest many-to-host)" 0 "$kernel: sixteen of them"
    is "$(guest nobody)" 2 "$kernel: where nobody listens, the guest is told at once"
    is "$(guest from-host)" 0 "$kernel: all that the host sent came to its end"
    is "$(guest to-host-1)" 0 "$kernel: after the reboot it goes on"
    check "$kernel: the socket is gone with the machine" test ! -e vm
}

# From 6.17 on, header and bytes may be in any number of buffers.
both_ways 6.12
both_ways 7.3 --transport mmio
