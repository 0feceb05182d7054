#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016  # what stands in single quotes is for the guest's shell
# eret exec: the command's streams and status, and every other way a run can end.
# limit: 1200
# shellcheck source=tests/host/lib.sh
. "$LIB"

kernel=$KERNELS/6.12/Image

# run_exec OPTION... -- COMMAND...: leaves $status, and the streams in out and $errors.
run_exec() {
    new_guest "$@"
    "$ERET" exec --kernel "$kernel" --append quiet "$@" > out 2> "$errors" 3>&- < "${input:-/dev/null}" &
    pid=$!
    finish_eret "${limit_of_run:-200}"
}

# As `make install` puts it, with a busybox of its own, told by its length.
mkdir -p installed/bin installed/lib/eret
cp "$ERET" installed/bin/eret
{ cat "$KERNELS/../bin/busybox" 2> /dev/null || cat /bin/busybox; echo longer; } > installed/lib/eret/busybox
built=$ERET
ERET=$PWD/installed/bin/eret
run_exec --env "GREETING=hello world" --cwd /tmp -- sh -c 'echo "$GREETING from $(pwd)"; wc -c < /bin/busybox'
ERET=$built
is "$(head -n 1 out)" "hello world from /tmp" "environment and directory"
is "$(sed -n 2p out)" "$(wc -c < installed/lib/eret/busybox)" "the guest's busybox is what was installed with eret"
rm -r installed
