#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The kernel's own tests of AF_VSOCK in a guest, against this host, whose ends of the sockets are local ones
# (guest-images/vsock/hybrid-socket.c): once with the guest as client, once as server.
# limit: 600
# shellcheck source=tests/host/lib.sh
. "$LIB"
modules=$(echo "$KERNELS"/6.12/lib/modules/*)
cp "$VSOCK_TESTS/vsock_test" "$VSOCK_TESTS/vsock_perf" .
export VSOCK_HYBRID=vm
limit=100

# without PATTERN: the options that leave out the tests whose names are like it.
without() { ./vsock_test --list | sed -n "s/^ *\([0-9]*\)[[:space:]].*\($1\).*/--skip \1/p" | tr '\n' ' '; }

# What cannot be, with the host as server and as client; `why` has the reasons.
as_server=$(without 'SEQPACKET\|SHUT_RD\|credit update')
as_client=$(without 'SEQPACKET\|poll() + SO_RCVLOWAT\|SOCK_STREAM MSG_ZEROCOPY')

# shellcheck disable=SC2086  # lists of options
{
    timeout "$limit" ./vsock_test --mode=server --control-port=1300 --peer-cid=3 $as_server > server 2>&1
    echo "status=$?" >> server
    timeout "$limit" ./vsock_test --mode=client --control-host=guest --control-port=1301 --peer-cid=3 $as_client > client 2>&1
    echo "status=$?" >> client
    timeout "$limit" ./vsock_perf --port 1236 > receiver 2>&1
    tries=60
    until timeout "$limit" ./vsock_perf --sender 3 --port 1237 --bytes 4M > sender 2>&1 || [ "$tries" = 0 ]; do
        tries=$((tries - 1))
        sleep 1
    done
} < /dev/null 3>&- &
host=$!
# shellcheck disable=SC2016  # for the guest's shell
run_exec --modules "$modules" --vsock auto,unix=vm --copy-in vsock_test --copy-in vsock_perf -- sh -c '
    /vsock_test --mode=client --control-host=host --control-port=1300 --peer-cid=2; printf "\nclient=%s\n" "$?"
    /vsock_test --mode=server --control-port=1301 --peer-cid=2; printf "\nserver=%s\n" "$?"
    tries=60
    until /vsock_perf --sender 2 --port 1236 --bytes 4M || [ $tries = 0 ]; do tries=$((tries - 1)); sleep 1; done
    /vsock_perf --port 1237'
is "$status" 0 "the guest has come to its end"
wait "$host"

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

# well FILE REGEX NAME: as `like`, and shows the file where it is not.
well() {
    grep -qE -e "$2" "$1" || comment_file "$3" "$1"
    like "$@"
}

# each FILE NAME: every test in FILE is one of ours.
each() {
    sed -n 's/^[0-9]* - \(.*\)\.\.\.ok$/\1/p' "$1" > went-well
    sed -n 's/^[0-9]* - \(.*\)\.\.\.skipped$/\1/p' "$1" > left-out
    while read -r name; do
        passed "$2: $name"
    done < went-well
    while read -r name; do
        skip "$2: $name" "$(why "$name")"
    done < left-out
    well "$1" '^(client|server)=0$' "$2: no test fails"
}
sed '/^client=/q' out > guest-client
sed -n '1,/^client=/d; p' out > guest-server
each guest-client "guest as client"
each guest-server "guest as server"
well server '^status=0$' "the host's ends of the first agree"
well client '^status=0$' "and of the second"
well receiver '^rx performance: ' "vsock_perf: the host as receiver"
well sender '^tx performance: ' "and as sender"
like out '^tx performance: ' "the guest as sender"
like out '^rx performance: ' "and as receiver"
