#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Sockets between guest and host that the host's kernel carries: both directions, halves that end one after the other, a reboot with
# connections open, and an address that is somebody's already.
# limit: 1200
# root
# shellcheck source=tests/host/lib.sh
. "$LIB"
# shellcheck source=tests/host/lib-net.sh
. "${LIB%.sh}-net.sh"
stream=$GUESTS/vsock-stream

[ -e /dev/vhost-vsock ] || skip_all "there is no /dev/vhost-vsock"
truncate -s 1M count.img
"$stream" -n 19 listen:1000 echo > /dev/null 3>&- &
echo=$!
start_boot vsock --vsock 42 --disk count.img
"$stream" -w $patience vsock:42:5000 exchange 1048576 3>&-
is "$?" 0 "a MiB from host to guest comes back"
"$stream" -n 16 -w $patience vsock:42:5000 exchange 20000 3>&-
is "$?" 0 "sixteen at a time"
run_eret_pid=$pid run_eret_console=$console run_eret_errors=$errors
run_eret --kernel "$KERNELS/6.12/Image" --vsock 42
is "$status" 1 "a second machine cannot have the same address"
like "$errors" '/dev/vhost-vsock takes no guest 42: another machine of this host has that CID' "it is said why"
pid=$run_eret_pid console=$run_eret_console errors=$run_eret_errors
"$stream" -w $patience vsock:42:5001 hold > held 3>&-
is "$(tr '\n' ' ' < held)" "open closed " "the host sees the end of a connection that was open at a reboot"
finish_eret $patience
wait "$echo"
is "$?" 1 "the host's end of the guest's, that was open then, is reset; so it does not wait for ever"
is "$status" 0 "the guest powers off, status 0"
is "$(guest to-host-0)" 0 "a MiB from guest to host comes back"
is "$(guest many-to-host)" 0 "sixteen of them"
is "$(guest nobody)" 2 "where nobody listens, the guest is told at once"
is "$(guest from-host)" 0 "all that the host sent came to its end"
is "$(guest to-host-1)" 0 "after the reboot it goes on"

truncate -s 0 count.img && truncate -s 1M count.img
printf '\001' | dd of=count.img conv=notrunc 2> /dev/null
"$stream" listen:1000 echo > /dev/null 3>&- &
boot vsock --vsock auto --disk count.img --transport mmio
is "$(guest to-host-1)" 0 "virtio-mmio, and an address that is free"
like "$errors" 'virtio-vsock0: the guest is CID [0-9]+$' "it is said which"
