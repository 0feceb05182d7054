#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The cage where the host does not give all of it: what is missing is said, with the reason, and the rest holds; a
# machine that requires it does not run. And of a user who may do nothing else.
# root
# breaks out
# shellcheck source=tests/host/lib.sh
. "$LIB"

# What is in force, by the recording.
fact() { "$ERET" trace recording 2> trace.errors | sed -n 's/^sandbox  *//p'; }

# missing WHAT TEXT: without it, what is said; and the layers that are left.
missing() {
    what=$1 text=$2 left=$3
    as="$FIXTURES/without $what --"
    # shellcheck disable=SC2086
    run_eret --kernel "$GUESTS/hello.elf" --record recording
    is "$status" 0 "without $what: the machine runs"
    like "$errors" "^eret: --sandbox: this host('s kernel)? $text.*: the machine runs without\$" "without $what: it is said"
    is "$(fact)" "$left" "without $what: what is left"
    run_eret --kernel "$GUESTS/hello.elf" --sandbox require
    is "$status" 1 "without $what: a machine that requires it does not run"
    like "$errors" "^eret: --sandbox require: this host('s kernel)? $text" "without $what: and it is said why"
    as=
}

run_eret --kernel "$GUESTS/hello.elf" --sandbox require --record recording
is "$status" 0 "this host gives all layers"
is "$(fact)" 'full (system-call filters, namespaces, an empty root, Landlock, no privileges)' "which are in force"
is "$(grep -v '^eret: --record: ' "$errors")" "" "and nothing is said of them"
missing landlock 'does not give Landlock \(Function not implemented\)' \
    'partial (system-call filters, namespaces, an empty root, no privileges)'
missing unshare 'does not give namespaces \(Function not implemented\), an empty root \(Function not implemented\)' \
    'partial (system-call filters, Landlock, no privileges)'
missing 'unshare landlock' 'does not give namespaces \(.*\), an empty root \(.*\), Landlock \(.*\)' \
    'partial (system-call filters, no privileges)'
missing seccomp '(does not give|has no) system-call filters' 'partial (namespaces, an empty root, Landlock, no privileges)'

run_eret --kernel "$GUESTS/hello.elf" --sandbox off --record recording
is "$(fact)" off "--sandbox off: none"

# Another user, who has /dev/kvm and nothing else.
cat > as-nobody << 'END'
mount -t tmpfs tmpfs /mnt
mknod /mnt/kvm c 10 232
chmod 666 /mnt/kvm
mount --bind /mnt/kvm /dev/kvm
exec start-stop-daemon -S -q -p none -c nobody -x /bin/env -- "$@"
END
mkdir -p /mnt
as='unshare -m sh as-nobody'
run_eret --kernel "$GUESTS/hello.elf" --sandbox require
is "$status:$(cat "$errors")" 0: "a user without privileges has all layers"
if [ "$KIND" = native ]; then
    skip "a host without user namespaces" "this machine's own limits are left alone"
else
    cat > no-namespaces << 'END'
echo 0 > /proc/sys/user/max_user_namespaces
"$@"
status=$?
cat saved > /proc/sys/user/max_user_namespaces
exit $status
END
    cat /proc/sys/user/max_user_namespaces > saved
    as='sh no-namespaces unshare -m sh as-nobody'
    run_eret --kernel "$GUESTS/hello.elf"
    is "$status" 0 "who may have no user namespace: the machine runs"
    like "$errors" 'does not give namespaces \(No space left on device\), an empty root' "and it is said"
fi
as=
