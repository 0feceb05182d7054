#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# eret exec: 100 MiB go into a command and come back.
# limit: 1200
# shellcheck source=tests/host/lib.sh
. "$LIB"
exec_limit=1000

head -c 104857600 /dev/urandom > big
input=big
run_exec --memory 512M -- sh -c 'cat; echo done >&2'
is "$status" 0 "100 MiB through cat: status 0"
check "100 MiB come back unchanged" cmp big out
is "$(cat "$errors")" "done" "standard error beside it"
