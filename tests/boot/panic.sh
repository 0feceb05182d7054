#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A guest kernel that panics and is told to reboot then.
# shellcheck source=tests/host/lib.sh
. "$LIB"

run_eret --kernel "$KERNELS/6.12/Image" --initrd "$KERNELS/6.12/initrd" --append 'quiet panic=-1 eret.mode=test eret.test=panic' --no-reboot
like "$console" 'Kernel panic' "the kernel panics"
is "$status" 3 "its reboot ends the machine under --no-reboot, status 3"
