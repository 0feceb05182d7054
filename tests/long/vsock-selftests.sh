#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The kernel's own tests of AF_VSOCK in a guest, against this host, whose ends of the sockets are local ones
# (guest-images/vsock/hybrid-socket.c): once with the guest as client, once as server.
# limit: 1200
# shellcheck source=tests/host/lib.sh
. "$LIB"
# shellcheck source=tests/host/lib-net.sh
. "${LIB%.sh}-net.sh"
# shellcheck source=tests/host/lib-vsock-tests.sh
. "${LIB%.sh}-vsock-tests.sh"
export VSOCK_HYBRID=vm

# without PATTERN: the options that leave out the tests whose names are like it.
without() { ./vsock_test --list | sed -n "s/^ *\([0-9]*\)[[:space:]].*\($1\).*/--skip \1/p" | tr '\n' ' '; }

# What cannot be, with the host as server and as client; `why` has the reasons.
as_server=$(without 'SEQPACKET\|SHUT_RD\|credit update')
as_client=$(without 'SEQPACKET\|poll() + SO_RCVLOWAT\|SOCK_STREAM MSG_ZEROCOPY')

# Why a test was left out.
why() {
    case $1 in
    *SEQPACKET*) echo "the device offers streams, and nothing else" ;;
    *SHUT_RD) echo "a local socket tells only who writes that nobody reads any more" ;;
    *'credit update'*) echo "the buffers that it sets are not a local socket's" ;;
    *SO_RCVLOWAT) echo "poll() of a local socket knows no SO_RCVLOWAT" ;;
    *MSG_ZEROCOPY*) echo "a local socket has no MSG_ZEROCOPY" ;;
    esac
}
left_out() { skip "$1: $2" "$(why "$2")"; }

{
    host_half "$as_server" "$as_client"
    tries=60
    until timeout "$patience" ./vsock_perf --sender 3 --port 1237 --bytes 4M > sender 2>&1 || [ "$tries" = 0 ]; do
        tries=$((tries - 1))
        sleep 1
    done
} < /dev/null 3>&- &
host=$!
run_exec --modules "$(echo "$KERNELS"/6.12/lib/modules/*)" --vsock auto,unix=vm --copy-in vsock_test --copy-in vsock_perf -- \
    sh -c "$guest_half; /vsock_perf --port 1237"
is "$status" 0 "the guest has come to its end"
wait "$host"
judge
well sender '^tx performance: ' "and the host as sender"
like out '^rx performance: ' "with the guest as receiver"
