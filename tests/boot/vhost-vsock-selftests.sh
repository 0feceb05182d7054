#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The kernel's own tests of AF_VSOCK in a guest, against this host's kernel: once with the guest as client, once as server.
# limit: 600
# serial: the guest is CID 3, which another test's machine might be
# root
# shellcheck source=tests/host/lib.sh
. "$LIB"
[ -e /dev/vhost-vsock ] || skip_all "there is no /dev/vhost-vsock"
modules=$(echo "$KERNELS"/6.12/lib/modules/*)
cp "$VSOCK_TESTS/vsock_test" "$VSOCK_TESTS/vsock_perf" .
limit=100

{
    timeout "$limit" ./vsock_test --mode=server --control-port=1300 --peer-cid=3 > server 2>&1
    echo "status=$?" >> server
    timeout "$limit" ./vsock_test --mode=client --control-host=guest --control-port=1301 --peer-cid=3 > client 2>&1
    echo "status=$?" >> client
    timeout "$limit" ./vsock_perf --port 1236 > receiver 2>&1
} < /dev/null 3>&- &
host=$!
# shellcheck disable=SC2016  # for the guest's shell
run_exec --modules "$modules" --vsock 3 --copy-in vsock_test --copy-in vsock_perf -- sh -c '
    /vsock_test --mode=client --control-host=host --control-port=1300 --peer-cid=2; printf "\nclient=%s\n" "$?"
    /vsock_test --mode=server --control-port=1301 --peer-cid=2; printf "\nserver=%s\n" "$?"
    tries=60
    until /vsock_perf --sender 2 --port 1236 --bytes 4M || [ $tries = 0 ]; do tries=$((tries - 1)); sleep 1; done'
is "$status" 0 "the guest has come to its end"
wait "$host"

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
    is "$(cat left-out)" "" "$2: no test is left out"
    well "$1" '^(client|server)=0$' "$2: no test fails"
}
sed '/^client=/q' out > guest-client
sed -n '1,/^client=/d; p' out > guest-server
each guest-client "guest as client"
each guest-server "guest as server"
well server '^status=0$' "the host's ends of the first agree"
well client '^status=0$' "and of the second"
well receiver '^rx performance: ' "vsock_perf: the host as receiver"
like out '^tx performance: ' "the guest as sender"
