#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# eret test from end to end on a machine without KVM: what a suite's mistakes are answered with, and the exit statuses.
# Prints TAP.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
eret=$PWD/build/native/eret
cd "$work" || exit 1
evidence="out errors"

# gives STATUS NAME WORD...: eret test WORD... ends with STATUS.
gives() {
    local wanted=$1 name=$2
    shift 2
    timeout 60 "$eret" test "$@" > out 2> errors < /dev/null
    [ "$?" = "$wanted" ]
    result $? "$name: $wanted"
}
says() { # FILE TEXT
    grep -qF -e "$2" "$1"
    result $? "it says: $2"
}

echo x > Image
printf '[defaults]\nkernel = Image\n[a]\ncommand = x\n[b]\ncommand = x\n' > s.ini

if "$eret" doctor > /dev/null 2>&1; then # it has KVM
    echo '{"version":1,"cases":[{"suite":"s","name":"a","kind":"skipped","no_kvm":true}]}' > whole.json
    cp whole.json again.json
else
    gives 77 "without KVM, a suite" --json whole.json s.ini
    gives 77 "a shard of it" --shard 1/2 --json 1.json s.ini
    gives 77 "the other one" --shard 2/2 --json 2.json s.ini
    gives 77 "the two merged" merge --json again.json 1.json 2.json
    gives 1 "one of them is missing" merge 1.json
    gives 1 "KVM is required" --require-kvm --json required.json s.ini
    gives 1 "and merged" merge required.json
fi
gives 77 "a report, merged" merge whole.json
gives 77 "what was merged, merged" merge again.json
gives 2 "merge runs nothing" merge --list --filter a whole.json
says errors "--list: it is for running tests"

gives 0 "an empty shard" --list --shard 4/4 s.ini
says errors "this shard is empty"
gives 0 "one that is not" --list --shard 2/2 s.ini
[ "$(cat out errors)" = s/b ]
result $? "has its case, and nothing is said"
plan
