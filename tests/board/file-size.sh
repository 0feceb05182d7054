#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A limit on the size of files (ulimit -f) is told as an error of the file that met it, and does not end eret by a
# signal. Prints TAP.
set -u
cd "$(dirname "$0")/../.." || exit 1
eret=$PWD/build/native/eret
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
n=0

# refuses NAME FILE COMMAND...: status 1, and words that name FILE.
refuses() {
    local name=$1 file=$2
    shift 2
    (ulimit -f 1 && exec "$@") > /dev/null 2> "$work/errors"
    local status=$?
    n=$((n + 1))
    if [ "$status" = 1 ] && grep -q "^eret: .*$file.*File too large" "$work/errors"; then
        echo "ok $n - $name"
    else
        echo "not ok $n - $name"
        echo "# status $status"
        sed 's/^/# /' "$work/errors"
    fi
}

{
    printf '{"version":1,"cases":['
    for i in {1..99}; do printf '{"suite":"s","name":"n%s","kind":"passed"},' "$i"; done
    printf '{"suite":"s","name":"n100","kind":"passed"}]}\n'
} > "$work/results.json"

refuses "JUnit" report.xml "$eret" test merge --junit "$work/report.xml" "$work/results.json"
refuses "JSON" merged.json "$eret" test merge --json "$work/merged.json" "$work/results.json"
echo "1..$n"
