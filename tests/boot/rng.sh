#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# virtio-rng gives random numbers.
# shellcheck source=tests/host/lib.sh
. "$LIB"

boot rng --rng
is "$status" 0 "the guest powers off, status 0"
like "$console" 'GUEST hwrng=virtio_rng' "the kernel's source is virtio-rng"
first=$(guest random)
is "${#first}" 64 "32 bytes come"
isnt "$(echo "$first" | tr -d 0)" "" "they are not zeros"
boot rng --rng
isnt "$(guest random)" "$first" "the next guest gets others"
