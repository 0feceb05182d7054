#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The kernel's own tests of AF_VSOCK in a guest, against this host's kernel: once with the guest as client, once as server.
# limit: 1200
# serial: the guest is CID 3, which another test's machine might be
# root
# shellcheck source=tests/host/lib.sh
. "$LIB"
# shellcheck source=tests/host/lib-net.sh
. "${LIB%.sh}-net.sh"
[ -e /dev/vhost-vsock ] || skip_all "there is no /dev/vhost-vsock"
# shellcheck source=tests/host/lib-vsock-tests.sh
. "${LIB%.sh}-vsock-tests.sh"

left_out() { failed "$1: $2" "it was left out"; }

host_half "" "" < /dev/null 3>&- &
host=$!
run_exec --modules "$(echo "$KERNELS"/6.12/lib/modules/*)" --vsock 3 --copy-in vsock_test --copy-in vsock_perf -- sh -c "$guest_half"
is "$status" 0 "the guest has come to its end"
wait "$host"
judge
