#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Who answers hypercalls: Linux boots with sets of them denied or forwarded, and contradictions are refused before anything runs.
# shellcheck source=tests/host/lib.sh
. "$LIB"

run_eret --kernel "$KERNELS/6.12/Image" --psci user --smccc deny=psci --smccc kernel=0x80000000 --hypercall 0xc6005000=udp:x
is "$status" 2 "contradictions: status 2"
like "$errors" '--smccc deny=psci and --psci both claim|--psci and --smccc deny=psci both claim' "an overlap names both sides"
like "$errors" 'udp:x.*is not RANGE=unix:PATH' "and a service that is not one is named in the same breath"

if [ "$KIND" = k61 ]; then
    run_eret --kernel "$KERNELS/6.12/Image" --smccc deny=trng
    is "$status" 1 "without the SMCCC filter: refused"
    like "$errors" 'smccc.*SMCCC filter.*6\.4' "and the reason"
    exit
fi

boot boot --cpus 2 --smccc deny=trng --smccc deny=pvtime --smccc deny=ptp --smccc forward=vendor-hyp
is "$status" 0 "the guest boots without them, status 0"
is "$(guest cpus)" 2 "with its CPUs"

run_eret --kernel "$KERNELS/6.12/Image" --hypercall 0xc6005000+16=unix:nobody.sock
is "$status" 1 "a service that is not there: status 1"
like "$errors" 'nobody\.sock' "its socket is named"
