#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Xen, in a guest with EL2 without VHE, starts a Linux as its first domain, from modules in /chosen.
# limit: 1200
# serial
# shellcheck source=tests/host/lib.sh
. "$LIB"
[ "$KIND" = k73-nested ] || skip_all "a host with nested virtualisation is wanted: k73-nested"

run_eret --timeout $((3 * patience)) --nested=e2h0 --kernel "$(dirname "$ERET")/xen" --memory 1G --cpus 2 \
    --append "console=dtuart dtuart=/pl011@9000000 dom0_mem=384M noreboot" \
    --boot-module "$KERNELS/6.12/Image,type=kernel,args=console=hvc0 quiet eret.mode=test eret.test=boot" \
    --boot-module "$KERNELS/6.12/initrd,type=ramdisk"
like "$console" 'Loading d0 kernel from boot module' "Xen finds the kernel"
like "$console" 'Loading ramdisk from boot module' "and the RAM disk"
like "$console" 'GUEST done' "Linux, as the first domain, has done its task"
is "$(guest exit)" 0 "and all is well"
like "$console" 'Hardware Dom0 halted: halting machine' "it powers off, and Xen does"
is "$status" 0 "status 0"
