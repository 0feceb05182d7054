#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Debian's kernel with the PL011 as its console: 1, 2 and 4 vCPUs.
# limit: 600
# shellcheck source=tests/host/lib.sh
. "$LIB"

for cpus in 1 2 4; do
    boot boot --cpus "$cpus" --console pl011
    is "$status" 0 "$cpus vCPUs: the guest powers off, status 0"
    is "$(guest cpus)" "$cpus" "$cpus vCPUs: all are online"
    is "$(guest gic)" "$(expected_gic)" "$cpus vCPUs: the GIC of this host"
    no_warnings "$cpus vCPUs: the kernel warns of nothing"
    like "$console" 'GUEST console=.*ttyAMA0' "$cpus vCPUs: the console is ttyAMA0"
done
