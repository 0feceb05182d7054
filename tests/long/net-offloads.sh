#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016  # what stands in single quotes is for the guest's shell
# What the guest leaves to its network card and the card to the guest, by eret and by the kernel: iperf3 with it and without, and while it
# is turned off and on; frames are as long as they then have to be, and nobody complains of one.
# limit: 3000
# root
# shellcheck source=tests/host/lib.sh
. "$LIB"
# shellcheck source=tests/host/lib-net.sh
. "${LIB%.sh}-net.sh"
tools=$NET_TOOLS
turns=$(usual 8 2)
longest=1514  # what a packet of 1,500 bytes takes

command -v busybox > /dev/null || skip_all "there is no busybox"
own_network
vhost=on
[ -e /dev/vhost-net ] || vhost=off
make_tap eret0 2 1500 10.82.0.1
make_tap eret1 2 1500 10.82.1.1
serve 4
tar -C "$tools" -cf www/tools.tar .
serve_at 0.0.0.0:8080
# iperf CARD OPTION...: this host is the client.
iperf() {
    card=$1
    shift
    set -- -c "10.82.$card.2" -p "520$card" "$@"
    timeout "$patience" "$tools/lib/ld-linux-aarch64.so.1" --library-path "$tools/lib" "$tools/iperf3" "$@" >> iperf.log 2>&1 3>&-
}

# order COMMAND: the guest's shell does it; its status.
n=0
order() {
    n=$((n + 1))
    send "$1; echo did-\"\"$n=\$?\\n"
    wait_console "^did-$n=" "$patience" && return "$(tr -d '\r' < "$console" | sed -n "s/^did-$n=//p")"
}
ordered() { check "$1" order "$2"; }

# count DEVICE FIELD: of /proc/net/dev; bytes and packets of what a tap has sent, which is the guest's to receive, are 9 and 10, those of
# what it has received 1 and 2.
count() { sed -n "s/^ *$1: *//p" /proc/net/dev | tr -s ' ' | cut -d ' ' -f "$2"; }
# average DEVICE FIELD COMMAND...: the bytes of a frame meanwhile
average() {
    device=$1 field=$2
    shift 2
    bytes=$(count "$device" "$field") packets=$(count "$device" $((field + 1)))
    "$@" || return
    echo $((($(count "$device" "$field") - bytes) / ($(count "$device" $((field + 1))) - packets)))
}
# both_ways STATE test(1)'s COMPARISON
both_ways() {
    for card in 0 1; do
        where="eth$card, $1"
        to=$(average "eret$card" 9 iperf "$card" -n 10M)
        check "$where: to the guest, in frames of ${to:-no} bytes" test "${to:-none}" "$2" $longest
        from=$(average "eret$card" 1 iperf "$card" -n 10M -R)
        check "$where: and from it, of ${from:-no}" test "${from:-none}" "$2" $longest
        check "$where: datagrams, too" iperf "$card" -u -b 10M -l 1400 -t 1
        check "$where: and back" iperf "$card" -u -b 10M -l 1400 -t 1 -R
    done
}
# Of these the last is what the card leaves to the guest.
features() { for feature in tx sg tso gso gro rx-gro-hw; do printf ' %s %s' "$feature" "$1"; done; }

start_eret --kernel "$image" --initrd "$KERNELS/6.12/initrd" --append 'quiet eret.mode=shell' --cpus 2 \
    --net tap=eret0,vhost=off --net "tap=eret1,vhost=$vhost" --stats
wait_console 'guest:/# ' "$patience" || exit
order 'for i in 0 1; do ip addr add 10.82.$i.2/24 dev eth$i; ip link set eth$i up; done' || exit
ordered "the guest has its tools" 'mkdir /tmp/t && wget -q -O - http://10.82.0.1:8080/tools.tar | tar -C /tmp/t -xf -' || exit
order 't() { program=$1; shift; /tmp/t/lib/ld-linux-aarch64.so.1 --library-path /tmp/t/lib /tmp/t/$program "$@"; }'
order 'k() { t ethtool -K eth0 "$@" && t ethtool -K eth1 "$@"; }'
ordered "and serves iperf3" 't iperf3 -s -D -p 5200 && t iperf3 -s -D -p 5201' || exit

both_ways "all is left to each other" -gt
ordered "ethtool -K turns it off" "k$(features off)"
ordered "ethtool -k says so" "for i in 0 1; do t ethtool -k eth\$i; done > /tmp/k && [ \$(grep -cE '^(tcp-segmentation-offload|tx-checksumming|rx-gro-hw): off' /tmp/k) = 6 ]"
both_ways "nothing is" -le
ordered "and on again" "k$(features on)"

iperf 0 -t $((4 * turns)) --bidir &
load_0=$!
iperf 1 -t $((4 * turns)) --bidir &
load_1=$!
ordered "it is turned off and on, $turns times, in the midst of traffic" \
    "i=0; while [ \$i -lt $turns ]; do k$(features off) && sleep 1 && k$(features on) && sleep 1 || break; i=\$((i + 1)); done; [ \$i = $turns ]"
wait "$load_0"
is "$?" 0 "eth0: the traffic goes on to its end"
wait "$load_1"
is "$?" 0 "eth1: and there"
both_ways "at the end all is again" -gt
sum=$(checksum www/data)
for card in 0 1; do
    ordered "eth$card: 4 MiB to the guest are unchanged" "wget -q -O /tmp/data http://10.82.$card.1:8080/data && echo '$sum  /tmp/data' | sha256sum -c"
done
order 'httpd -p 80 -h /tmp'
is "$(fetched_sum http://10.82.0.2/data)" "$sum" "eth0: and from it"
is "$(fetched_sum http://10.82.1.2/data)" "$sum" "eth1: and from it"
complaints='hw csum failure|bad gso|WARNING: .* at (drivers/)?net/'
ordered "the guest's kernel complains of no frame" "! dmesg | grep -E '$complaints'"
dmesg > host-log
unlike host-log "$complaints" "nor does the host's"
order "cat /sys/class/net/eth*/statistics/[rt]x_errors | sort -u > /tmp/errors"
ordered "no card has counted an error" '[ "$(cat /tmp/errors)" = 0 ]'
send 'poweroff -f\n'
finish_eret "$patience"
is "$status" 0 "it powers off, status 0"
unlike "$errors" 'dropped: (bad|longer|forbidden)' "no frame was dropped for what it was"
