#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What eret doctor says of this host, against what is emulated; and why there is no KVM, where it has been taken away.
# root
# shellcheck source=tests/host/lib.sh
. "$LIB"

# value FILE GROUP KEY: a member of the JSON.
value() { sed -n "/^  \"$2\" : {/,/^  }/s/^    \"$3\" : \\(.*[^,]\\),*\$/\\1/p" "$1"; }
says() { value doctor.json "$1" "$2"; }

"$ERET" doctor > doctor.txt 2> doctor.errors
is "$?" 0 "guests run here: status 0"
is "$(cat doctor.errors)" "" "nothing on standard error"
like doctor.txt '^Guests run here: up to [0-9]+ vCPUs and [0-9.]+ [GT]iB of memory each, GICv[23]' "the verdict comes first"
is "$(sed -n '/^Guests run here/=' doctor.txt)" 1 "in the first line"
"$ERET" doctor --json > doctor.json
is "$?" 0 "--json: status 0"
is "$(value doctor.json verdict guests)" true "--json: guests run"
is "$(value doctor.json verdict cause)" '"ok"' "--json: the cause"
is "$(says host architecture)" '"aarch64"' "the architecture"
is "$(says host kernel)" "\"$(uname -r)\"" "the kernel"
is "$(says cpu online)" "$(grep -c '^processor' /proc/cpuinfo)" "the CPUs"
is "$(says kvm device)" '"usable"' "/dev/kvm is usable"

# facts MODE GICV2 GICV3 CPUS BITS FILTER PSCI EL2 GUEST_MEMFD PAGE CPU: with names, so that a difference can be read.
facts() {
    for name in mode gicv2 gicv3 cpus bits filter psci el2 guest_memfd page cpu; do
        printf '%s=%s ' "$name" "$1"
        shift
    done
}

# The kinds of tests/host/host.sh.
case $KIND in
gicv3) wanted=$(facts '"VHE"' false true 512 48 true '"1.1"' false false 4096 '"QEMU max"') ;;
gicv2) wanted=$(facts '"nVHE"' true false 8 44 true '"1.1"' false false 4096 '"Cortex-A72"') ;;
nvhe) wanted=$(facts '"nVHE"' false true 512 44 true '"1.1"' false false 4096 '"Cortex-A72"') ;;
nvhe-40) wanted=$(facts '"nVHE"' false true 512 40 true '"1.1"' false false 4096 '"Cortex-A53"') ;;
max) wanted=$(facts '"VHE"' false true 512 52 true '"1.1"' false false 4096 '"QEMU max"') ;;
k61) wanted=$(facts '"VHE"' false true 512 48 false '"1.1"' false false 4096 '"QEMU max"') ;;
k73) wanted=$(facts '"VHE"' false true 512 48 true '"1.3"' false true 4096 '"QEMU max"') ;;
k73-gicv2) wanted=$(facts '"nVHE"' true false 8 44 true '"1.3"' false true 4096 '"Cortex-A72"') ;;
k73-nested) wanted=$(facts '"VHE+NV2"' false true 512 48 true '"1.3"' true true 4096 '"QEMU max"') ;;
k73-16k) wanted=$(facts '"VHE"' false true 512 48 true '"1.3"' false true 16384 '"QEMU max"') ;;
*) wanted= ;;
esac
if [ -n "$wanted" ]; then
    cpu=$(sed -n '/"kinds" : \[/,/\]/s/^ *"name" : \(.*\),$/\1/p' doctor.json)
    got=$(facts "$(says kvm mode)" "$(says guests gicv2)" "$(says guests gicv3)" "$(says guests max_cpus)" "$(says guests address_bits)" \
        "$(says monitor_features smccc_filter)" "$(says guests psci)" "$(says cpu_features el2)" "$(says monitor_features guest_memfd)" \
        "$(says host page_size)" "$cpu")
    is "$got" "$wanted" "what KVM offers is what is emulated"
    is "$(says host interrupt_controller)" "\"$(expected_gic)\"" "the host's interrupt controller"
    is "$(says kvm log_readable)" true "root sees the kernel's log"
    is "$(says tools tracepoints)" true "root sees KVM's tracepoints"
else
    skip "what KVM offers is what is emulated" "this is a machine of its own"
fi

# What it says of machines is so.
is "$(says cpu_features sve)" "$(if grep -q '\<sve\>' /proc/cpuinfo; then echo true; else echo false; fi)" "SVE as the CPU has it"
gic=$(sed -n '1s/.*\(GICv[23]\).*/\1/p' doctor.txt)
run_eret --kernel "$GUESTS/hello.elf" --gic "${gic#GICv}"
is "$status" 0 "a guest has the interrupt controller that it names"

# And of networks.
# node_state PATH: what it should say of a device node, to root.
node_state() { if [ -e "$1" ]; then echo '"usable"'; else echo '"missing"'; fi; }
is "$(says network tap)" "$(node_state /dev/net/tun)" "taps, as there is a /dev/net/tun"
is "$(says network vhost_net)" "$(node_state /dev/vhost-net)" "vhost-net, as there is its node"
is "$(says network vhost_vsock)" "$(node_state /dev/vhost-vsock)" "vhost-vsock, as there is its node"
case $(passt --help 2>&1) in
*--vhost-user*) passt='"vhost-user"' ;;
*--fd*) passt='"stream"' ;;
*) passt='"missing"' ;;
esac
is "$(says network passt)" "$passt" "passt, and what it can"

# In a namespace of its own, /dev has only what is said here.
cat > with-devices <<'END'
mount -t tmpfs tmpfs /dev
mknod /dev/null c 1 3
mknod -m 600 /dev/vhost-net c 10 238
[ "$1" = nothing ] || mknod -m "$1" /dev/kvm c 10 232
shift
exec "$@"
END
unshare -m sh with-devices 600 "$ERET" doctor --json > no-log.json
is "$?" 0 "without the kernel's log: status 0"
is "$(value no-log.json kvm log_readable)" false "without the kernel's log: it says so"
is "$(value no-log.json kvm mode)" "$(says kvm mode)" "without the kernel's log: it finds the mode all the same"
unshare -m sh with-devices nothing "$ERET" doctor > no-node.txt
is "$?" 77 "no /dev/kvm: status 77"
like no-node.txt '^No guests here: the kernel has KVM, but there is no /dev/kvm\. .*--device /dev/kvm' "no /dev/kvm: why, and what to do"
unshare -m sh with-devices nothing "$ERET" doctor --json > no-node.json
is "$?" 77 "no /dev/kvm: status 77 with --json"
is "$(value no-node.json verdict cause)" '"no-device-node"' "no /dev/kvm: the cause"
is "$(value no-node.json guests gicv3)" null "no /dev/kvm: what KVM offers is not known"
unshare -m sh with-devices 600 start-stop-daemon -S -q -p none -c nobody -x /bin/env -- "$ERET" doctor --json > refused.json
is "$?" 77 "no permission: status 77"
is "$(value refused.json verdict cause)" '"permission-denied"' "no permission: the cause"
like refused.json '"cure" : ".*(usermod|newgrp)' "no permission: what to do"
is "$(value refused.json network vhost_net)" '"unusable"' "no permission: nor for vhost-net"
is "$(value refused.json network tap)" '"missing"' "no /dev/net/tun: no taps"
"$ERET" doctor --jsno 2> mistake.txt
is "$?" 2 "a mistake: status 2"
like mistake.txt 'did you mean --json' "a mistake: what was meant"
