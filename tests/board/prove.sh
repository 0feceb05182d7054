#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The proofs of tests/prove/ that take a few seconds each, and one fault that has to be noticed. `make prove` has all.
# Prints TAP.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
cd "$root" || exit 1
tests/prove/cbmc.sh 2> "$work/reason" || {
    echo "1..0 # SKIP $(head -n 1 "$work/reason")"
    exit
}

for name in load-store net-header pci-bar pci-function virtqueue; do
    tests/prove/prove.sh "$name" > "$work/proof" 2>&1
    result $? "what is proved of $name holds" "$work/proof"
done

# A proof that no fault disturbs would be none: of a copy in which a check is gone, this does not hold.
mkdir -p "$work/wrong/tests/prove" "$work/wrong/build" "$work/wrong/devices/virtio" "$work/wrong/devices/backend"
for directory in tests/prove devices; do cp -r "$directory/." "$work/wrong/$directory"; done
ln -s "$root/build/cbmc" "$work/wrong/build/cbmc"
sed -i 's/start < NET_FRAME_MIN || end > size/start < NET_FRAME_MIN/' "$work/wrong/devices/virtio/net-header.c"
"$work/wrong/tests/prove/prove.sh" net-header > "$work/proof" 2>&1
is $? 1 "a check that is gone is noticed"
like "$work/proof" "csum_start.*: FAILURE" "and which property does not hold is said"
plan
