#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The page of `eret trace --html` in a real browser: what it shows, what a reader can do with it, and that a hostile guest's texts stay texts. Made recordings
# stand in for a guest's. Prints TAP; leaves pictures of the page in build/trace-page*.png.
set -u
cd "$(dirname "$0")/../.." || exit 1

skip() {
    echo "ok 1 - the page in a browser # SKIP $1"
    echo "1..1"
    exit 0
}

command -v chromium > /dev/null || skip "no chromium"
command -v chromedriver > /dev/null || skip "no chromedriver"
# A python that somebody has put before the system's does not know the system's packages.
python=
for candidate in python3 /usr/bin/python3; do
    if "$candidate" -c 'import selenium' 2> /dev/null; then python=$candidate; break; fi
done
[ -n "$python" ] || skip "no selenium for python3"

maker=build/native/tests/unit/vmm/trace/test-html
[ -x "$maker" ] || make -s "$maker" >&2 || exit 1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
ERET_TRACE_PAGES=$work "$maker" >&2 || exit 1
# The browser's profile and what else it writes.
HOME=$work TMPDIR=$work "$python" tests/page/browse.py "$work" build
