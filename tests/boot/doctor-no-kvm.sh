#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What eret doctor says on hosts whose kernel has no KVM to offer: the cause, with the kernel's log and without it.
# root
# shellcheck source=tests/host/lib.sh
. "$LIB"

case $KIND in
el1) cause=entered-at-el1 reason='Linux was entered at EL1' cure='virtualization=on' ;;
k73-gicv2-nested) cause=nested-needs-gicv3 reason='NV support requires GICv3' cure='mode=nested off the command line' ;;
*) skip_all "this host has KVM" ;;
esac

# examine NAME COMMAND...
examine() {
    name=$1
    shift
    "$@" "$ERET" doctor > doctor.txt
    is "$?" 77 "$name: status 77"
    like doctor.txt "^No guests here: .*$reason.*\. .*$cure" "$name: why, and what to do"
    "$@" "$ERET" doctor --json > doctor.json
    is "$(sed -n 's/^    "cause" : "\(.*\)",$/\1/p' doctor.json)" "$cause" "$name: the cause"
}

cat > without-log <<'END'
mount -t tmpfs tmpfs /dev
mknod /dev/null c 1 3
exec "$@"
END
examine "the kernel's log readable" env
examine "without the kernel's log" unshare -m sh without-log
run_eret --kernel "$GUESTS/hello.elf"
is "$status" 77 "eret run: status 77"
like "$errors" 'eret doctor' "eret run points to eret doctor"
