#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A network card by passt: an address by DHCP, files both ways, ports of the host that lead to the guest by TCP and UDP; passt is killed
# in the middle of traffic, and is there again after a reboot; a guest that may only answer; a port that is taken.
# limit: 1200
# root
# shellcheck source=tests/host/lib.sh
. "$LIB"
# shellcheck source=tests/host/lib-net.sh
. "${LIB%.sh}-net.sh"
PATH=$PATH:$FIXTURES  # Debian's passt, where the host has none
MIB=8

command -v busybox > /dev/null || skip_all "there is no busybox"
command -v passt > /dev/null || skip_all "there is no passt"
own_network
serve "$MIB"
cp "$FIXTURES/udp" www/
serve_at 127.0.0.1:8080
sum=$(checksum www/data)

start_boot net-user,8080 --net user,forward=8081:80,forward=127.0.0.1:8082:7/udp --memory 256M
wait_console 'GUEST ready' $patience || exit
is "$(guest dhcp)$(guest address)" "010.78.0.2" "the guest has its address by DHCP"
is "$(guest fetched)" "$sum" "$MIB MiB to the guest come unchanged"
is "$(fetched_sum http://127.0.0.1:8081/data)" "$sum" "and, by a port of the host, back"
check "a datagram goes to the guest, and one back" "$FIXTURES/udp" ask 127.0.0.1 8082 hello
say_next load
wait_console 'GUEST loading' $patience || exit
say_next "done"
passt=$(helpers)
is "$(cat "/proc/$passt/comm")" passt "passt is eret's child"
kill -KILL "$passt"
wait_console 'GUEST carrier=' $patience || exit
is "$(guest carrier)" 0 "when it is killed amid traffic, the guest has no link"
like "$errors" 'virtio-net0: passt ended by signal 9' "the log says who died, and of what"
check "the guest boots again, and has its network again" lines "GUEST fetched=$sum" 2 $patience
finish_eret $patience
is "$status" 0 "and ends well"
is "$(guest next)" "done" "having heard it from the host"
unlike "$errors" 'syslog|nobody' "what passt says each time is not shown"

start_boot net-user,8080,restricted --net user,forward=8081:80,restrict --memory 256M
wait_console 'GUEST ready' $patience || exit
is "$(guest dhcp)$(guest address)" "010.78.0.2" "a restricted guest has its address, too"
isnt "$(guest reached)" 0 "it reaches nobody"
is "$(timeout $patience wget -q -O - http://127.0.0.1:8081/page)" "a page" "and is reached"
passt=$(helpers)
kill -KILL "$pid"
finish_eret 10
tries=0
while running "$passt" && [ $tries -lt 50 ]; do
    tries=$((tries + 1))
    sleep 0.1
done
check "passt does not outlive an eret that is killed" test $tries -lt 50

# shellcheck disable=SC2016  # for the guest's shell
run_exec --net user -- sh -c 'wget -q -O - "http://$(ip route | sed -n "s/^default via \([0-9.]*\).*/\1/p"):8080/next"'
is "$status:$(cat out)" "0:done" "eret exec: wget just works"

run_eret --kernel "$KERNELS/6.12/Image" --net user,forward=127.0.0.1:8080:80
is "$status" 1 "a port that is taken: status 1"
like "$errors" 'TCP port 8080 of the host cannot be forwarded' "and which"
as="env PATH=/no/such"
run_eret --kernel "$KERNELS/6.12/Image" --net user
as=
is "$status" 1 "without passt: status 1"
like "$errors" 'made by passt, which is not installed' "and what to install"
kill "$server"
