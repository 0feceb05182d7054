# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# The kernel's own tests of AF_VSOCK in a guest, whose CID is 3, against this host: what is the same whoever carries the
# sockets (sourced behind lib.sh and lib-net.sh, after which ./vsock_test and ./vsock_perf are there).
#
#   host_half SERVER CLIENT    this host's tests, one after the other: with the guest as client, as server, and as a sender. SERVER and
#                              CLIENT are the options of vsock_test's halves. Leaves the files server, client and receiver.
#   $guest_half                the guest's, for its shell; what it prints becomes the file out
#   judge                      holds the two against each other. A test that was left out is handed to left_out WHERE TEST, the script's.
#   well FILE REGEX NAME       as `like`, and shows the file where it is not
# shellcheck disable=SC2034,SC2154  # used by, and from, the scripts

cp "$VSOCK_TESTS/vsock_test" "$VSOCK_TESTS/vsock_perf" .

host_half() {
    # shellcheck disable=SC2086  # a list of options
    timeout "$patience" ./vsock_test --mode=server --control-port=1300 --peer-cid=3 $1 > server 2>&1
    echo "status=$?" >> server
    # shellcheck disable=SC2086
    timeout "$patience" ./vsock_test --mode=client --control-host=guest --control-port=1301 --peer-cid=3 $2 > client 2>&1
    echo "status=$?" >> client
    timeout "$patience" ./vsock_perf --port 1236 > receiver 2>&1
}

# shellcheck disable=SC2016  # for the guest's shell
guest_half='
    /vsock_test --mode=client --control-host=host --control-port=1300 --peer-cid=2; printf "\nclient=%s\n" "$?"
    /vsock_test --mode=server --control-port=1301 --peer-cid=2; printf "\nserver=%s\n" "$?"
    tries=60
    until /vsock_perf --sender 2 --port 1236 --bytes 4M || [ $tries = 0 ]; do tries=$((tries - 1)); sleep 1; done'

well() {
    grep -qE -e "$2" "$1" || comment_file "$3" "$1"
    like "$@"
}

# each FILE WHERE: every test in FILE is one of ours.
each() {
    sed -n 's/^[0-9]* - \(.*\)\.\.\.ok$/\1/p' "$1" > went-well
    sed -n 's/^[0-9]* - \(.*\)\.\.\.skipped$/\1/p' "$1" > left-out
    while read -r test; do
        passed "$2: $test"
    done < went-well
    while read -r test; do
        left_out "$2" "$test"
    done < left-out
    well "$1" '^(client|server)=0$' "$2: no test fails"
}

judge() {
    sed '/^client=/q' out > guest-client
    sed -n '1,/^client=/d; p' out > guest-server
    each guest-client "guest as client"
    each guest-server "guest as server"
    well server '^status=0$' "the host's ends of the first agree"
    well client '^status=0$' "and of the second"
    well receiver '^rx performance: ' "vsock_perf: the host as receiver"
    like out '^tx performance: ' "the guest as sender"
}
