#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A limit on the size of files (ulimit -f) is told as an error of the file that met it, and does not end eret by a
# signal. Prints TAP.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
eret=$PWD/build/native/eret
evidence=$work/errors

# refuses NAME FILE COMMAND...: status 1, and words that name FILE.
refuses() {
    local name=$1 file=$2
    shift 2
    (ulimit -f 1 && exec "$@") > /dev/null 2> "$work/errors"
    local status=$?
    echo "status $status" >> "$work/errors"
    [ "$status" = 1 ] && grep -q "^eret: .*$file.*File too large" "$work/errors"
    result $? "$name"
}

{
    printf '{"version":1,"cases":['
    for i in {1..99}; do printf '{"suite":"s","name":"n%s","kind":"passed"},' "$i"; done
    printf '{"suite":"s","name":"n100","kind":"passed"}]}\n'
} > "$work/results.json"

refuses "JUnit" report.xml "$eret" test merge --junit "$work/report.xml" "$work/results.json"
refuses "JSON" merged.json "$eret" test merge --json "$work/merged.json" "$work/results.json"
plan
