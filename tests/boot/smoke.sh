#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# One boot with a bit of everything, for kinds of host that get no more.
# shellcheck source=tests/host/lib.sh
. "$LIB"

cp "$FIXTURES/ext4.img" disk.img
boot disk,1 --cpus 2 --rng --disk disk.img
is "$status" 0 "the guest powers off, status 0"
like "$console" 'GUEST sha256=[0-9a-f]{64}' "its disk works"
