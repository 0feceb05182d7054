#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Mistakes, and what eret says about them.
# shellcheck source=tests/host/lib.sh
. "$LIB"

refused() { [ "$status" = 1 ] || [ "$status" = 2 ]; }

run_eret --kernel /nowhere/Image
like "$errors" '/nowhere/Image' "a missing kernel is named"
like "$errors" 'No such file' "and the reason"
check "and the status is 1 or 2" refused

run_eret --kernel "$KERNELS/6.12/initrd"
like "$errors" 'cpio' "a file that is no kernel: what it is"

run_eret --kernel "$KERNELS/6.12/Image" --disk missing.img
like "$errors" 'missing\.img' "a missing disk is named"
check "and the status is 1 or 2" refused

run_eret --kernel "$KERNELS/6.12/Image" --initrd "$KERNELS/6.12/initrd" --memory 24M
like "$errors" '[0-9]+ (MiB|KiB|bytes)|[0-9]+M' "too little memory: how much is needed"
check "and the status is 1 or 2" refused

run_eret --kernel "$KERNELS/6.12/Image" --kernal x --cpus none
is "$status" 2 "mistakes on the command line: status 2"
like "$errors" 'kernel' "the nearest option is named"
