#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs all tests through `prove`, and closes with one line: N passed, N failed, N skipped.
#
# Usage: check.sh TEST...     programs and scripts that print TAP; see tests/tap.sh
set -u
cd "$(dirname "$0")/.." || exit 1
# A make of a test is none of the jobs of the make around all of them.
unset MAKEFLAGS MFLAGS MAKELEVEL
# What GLib has freed is freed: a leak, or a use of it afterwards, is seen.
export G_SLICE=always-malloc
rm -rf build/tap
mkdir -p build/tap

prove --timer --exec tests/tap.sh "$@"
status=$?

grep -h '^ok .*# SKIP' build/tap/*.tap | sed 's/^ok [0-9]* *-* */skipped: /'
grep -l . build/tap/*.tap | while read -r file; do
    sed -n "s|^not ok [0-9]* *-* *|failed: $(basename "$file" .tap): |p" "$file"
done
cat build/tap/*.tap | awk -v status=$status '
    /^not ok / && !/# TODO/ { failed++; next }
    /^ok / && /# SKIP/ { skipped++; next }
    /^ok / { passed++ }
    END {
        # A program that died, or whose plan does not fit, failed although each line of it says ok.
        if (status != 0 && failed == 0) failed = 1
        printf "%d passed, %d failed, %d skipped\n", passed, failed, skipped
        exit status != 0 || failed > 0
    }'
