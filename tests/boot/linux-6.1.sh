#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Debian 12's own kernel, 6.1.
# shellcheck source=tests/host/lib.sh
. "$LIB"

kernel=6.1
boot boot --cpus 2 --rng
is "$status" 0 "the guest powers off, status 0"
like "$console" 'GUEST kernel=6\.1\.' "it is 6.1"
is "$(guest cpus)" 2 "both vCPUs are online"
is "$(guest gic)" "$(expected_gic)" "the GIC of this host"
no_warnings "the kernel warns of nothing"
