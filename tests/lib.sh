# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# What a test script in tests/board/ is written with: `. "$(dirname "$0")/../lib.sh"`. Sourced, not run; sh and bash.
#
# It goes to the root of the tree, and makes a directory $work that is removed at the end.
#
#   result STATUS NAME [FILE]...           passes when STATUS is 0; else the files are shown, or those that $evidence names
#   is GOT WANTED NAME
#   like FILE REGEX NAME                   unlike FILE REGEX NAME
#   skip NAME REASON
#   plan                                   the last line
#
# shellcheck disable=SC2034  # used by the scripts
set -u
cd "$(dirname "$0")/../.." || exit 1
root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
n=0
evidence=

result() {
    n=$((n + 1))
    if [ "$1" = 0 ]; then
        echo "ok $n - $2"
        return
    fi
    echo "not ok $n - $2"
    shift 2
    # shellcheck disable=SC2086  # words
    [ $# -gt 0 ] || set -- $evidence
    for file; do
        [ ! -e "$file" ] || sed 's/^/# /' "$file"
    done
}

is() {
    [ "$1" = "$2" ] || echo "it is '$1', and should be '$2'" > "$work/.difference"
    [ "$1" = "$2" ]
    # shellcheck disable=SC2086  # words
    result $? "$3" "$work/.difference" $evidence
}

like() { grep -qE -e "$2" "$1"; result $? "$3" "$1"; }
unlike() { ! grep -qE -e "$2" "$1"; result $? "$3" "$1"; }

skip() {
    n=$((n + 1))
    echo "ok $n - $1 # SKIP $2"
}

plan() { echo "1..$n"; }
