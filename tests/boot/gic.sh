#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The interrupt controller that was asked for, or a message with those that the host offers.
# shellcheck source=tests/host/lib.sh
. "$LIB"

case $KIND in
native) skip_all "what this machine's GIC offers is not known beforehand" ;;
gicv2 | k73-gicv2) there=2 absent=3 ;;
*) there=3 absent=2 ;;
esac
run_eret --kernel "$KERNELS/6.12/Image" --gic "$absent"
like "$errors" "GICv$absent" "--gic $absent: what is not there is named"
like "$errors" "offers.*GICv$there" "--gic $absent: so is what is"
is "$status" 1 "--gic $absent: status 1"
boot boot --gic "$there"
is "$(guest gic)" "GICv$there" "--gic $there: the guest has it"
