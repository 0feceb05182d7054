#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# eret in eret: a guest with EL2 runs eret, which runs guests of its own, and their exit status comes back through all layers. On hosts that cannot: why.
# limit: 1200
# serial
# shellcheck source=tests/host/lib.sh
. "$LIB"

if [ "$KIND" != k73-nested ]; then
    [ "$KIND" != native ] || skip_all "this machine's own KVM may do either"
    run_eret --nested --kernel "$KERNELS/6.12/Image"
    is "$status" 1 "no nested virtualisation here: status 1"
    case $KIND in
    k73*) like "$errors" 'kvm-arm.mode=nested' "and what the host's command line lacks" ;;
    *) like "$errors" 'Linux 6\.16|GICv3|FEAT_NV2' "and what the host lacks" ;;
    esac
    exit
fi

# A hypervisor that knows nothing of FEAT_VHE. It comes as far as to miss the kernel of its first domain, and would wait for somebody to read that.
start_eret --nested=e2h0 --kernel "$(dirname "$ERET")/xen" --cpus 2 --append "console=dtuart dtuart=/pl011@9000000 noreboot"
wait_console 'Missing kernel boot module' 60 && passed "Xen, with EL2 without VHE, wants the kernel of its first domain"
kill -TERM "$pid"
sleep 1
kill -TERM "$pid"
finish_eret 10
like "$console" 'Xen version 4|Latest ChangeSet|Command line: console=dtuart' "and has read the device tree"
run_eret --nested=e2h0 --kernel "$GUESTS/stage2"
like "$console" '^PASS stage2' "a bare-metal guest with pairs of registers outside its memory, too"

# What the guest at L2 gets: eret and its libraries, a bare-metal guest, and Linux for L3.
mkdir inner
cp -L "$ERET" inner/eret
cp -rL "$(dirname "$ERET")/lib" inner/lib
cp "$GUESTS/services" "$GUESTS/exceptions" "$KERNELS/6.12/Image" "$KERNELS/6.12/initrd" inner/

# at_l2 SCRIPT: leaves $status and out.
at_l2() {
    new_guest nested "$1"
    "$ERET" exec --nested --kernel "$KERNELS/7.3/Image" --memory 1G --boot-timeout 300 --timeout 800 --copy-in inner:/inner --env LD_LIBRARY_PATH=/inner/lib -- \
        sh -c "ln -s /inner/lib/ld-linux-aarch64.so.1 /lib/; dmesg | grep -i 'kvm.*initialized'; cd /inner; $1" > out 2> "$errors" 3>&- < /dev/null
    status=$?
}

at_l2 'ls /dev/kvm && ./eret run --kernel services --append exit=42'
is "$status" 42 "a bare-metal guest at L3 ends with 42: so does eret at L2, and the command at L1"
like out 'VHE mode initialized|VHE.NV2 mode initialized' "L2's kernel runs at EL2"
like out '^/dev/kvm' "and has a /dev/kvm"

at_l2 './eret run --kernel Image --initrd initrd --memory 192M --append "quiet eret.mode=test eret.test=boot" && echo L3 is over'
is "$status" 0 "Linux at L3 powers off, status 0"
like out 'GUEST done' "after it has said so"
like out '^L3 is over' "and L2 goes on"
