#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Without /dev/kvm, or without the right to use it.
# root
# shellcheck source=tests/host/lib.sh
. "$LIB"

# A namespace of its own, where /dev has no kvm: tests beside this one keep theirs.
cat > without-kvm <<'END'
mount -t tmpfs tmpfs /dev
mknod /dev/null c 1 3
exec "$@"
END
as='unshare -m sh without-kvm'
run_eret --kernel "$GUESTS/hello.elf"
is "$status" 77 "no /dev/kvm: status 77"
like "$errors" '/dev/kvm' "no /dev/kvm: it is named"

as=
if [ "$KIND" = native ]; then
    skip "no permission: status 77" "this machine's own permissions are left alone"
else
    # Debian's busybox has no setuidgid.
    as='start-stop-daemon -S -q -p none -c nobody -x /bin/env --'
    run_eret --kernel "$GUESTS/hello.elf"
    is "$status" 77 "no permission: status 77"
    like "$errors" '[Pp]ermission' "no permission: the reason"
    like "$errors" 'group' "no permission: what to do"
fi
