#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# eret exec --copy-in: what cannot be in one place is refused before there is a machine, as a mistake of the caller's.
# Needs no KVM. Prints TAP.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
eret=$PWD/build/native/eret
busybox=$PWD/build/init/eret-init # any program for ARM64
cd "$work" || exit 1
evidence=errors

mkdir -p d1/sub d2/sub root/etc
echo 1 > f1
echo 2 > f2
echo 1 > d1/sub/f
echo 2 > d2/sub/g
cp -r d2 d3
echo 3 > d3/sub/f
echo kernel > kernel

try() { "$eret" exec --kernel kernel --busybox "$busybox" --result result.json "$@" -- true > out 2> errors < /dev/null; }

# refused TEXT NAME OPTION...
refused() {
    local text=$1 name=$2
    shift 2
    try "$@"
    [ $? = 2 ] && grep -qxF -e "eret: --copy-in: $text" errors && [ ! -e result.json ]
    result $? "$name"
}

# accepted NAME OPTION...: it comes as far as the kernel, which is none.
accepted() {
    local name=$1
    shift
    try "$@"
    status=$?
    rm -f result.json
    [ "$status" != 2 ] && ! grep -q copy-in errors
    result $? "$name"
}

refused "'f2' cannot be put at '/x/y' in the guest: '/x' is there already, a file of 'f1'" "below a file" --copy-in f1:/x --copy-in f2:/x/y
refused "'f2' cannot be put at '/x' in the guest: '/x' is there already, a directory of 'f1'" "and the other way round" \
    --copy-in f1:/x/y --copy-in f2:/x
refused "'f2' cannot be put at '/x' in the guest: '/x' is there already, a file of 'f1'" "two files in one place" --copy-in f1:/x --copy-in f2:/./x
refused "'d1' cannot be put at '/x' in the guest: '/x' is there already, a file of 'f1'" "a directory where a file is" --copy-in f1:/x --copy-in d1:/x
refused "'d3/sub/f' cannot be put at '/x/sub/f' in the guest: '/x/sub/f' is there already, a file of 'd1/sub/f'" "two directories with one file" \
    --copy-in d1:/x --copy-in d3/:/x
refused "'f1' cannot be put at '/bin/busybox/x' in the guest: '/bin/busybox' is there already, a file of eret's own" "below busybox" \
    --copy-in f1:/bin/busybox/x
refused "'f1' cannot be put at '/etc' in the guest: '/etc' is there already, a directory of eret's own" "in the place of a directory" --copy-in f1:/etc
refused "'f1' cannot be put at '/' in the guest: '/' is there already, a directory of eret's own" "in the place of all" --copy-in f1:/.
for name in /init /eret/spec; do
    refused "'f1' cannot be put at '$name' in the guest: '$name' is there already, a file of eret's own" "in the place of what eret needs: $name" \
        --copy-in "f1:$name"
done
refused "'f2' cannot be put at '/x/y' in the guest: '/x' is there already, a file of 'f1'" "in another root too" \
    --rootfs root --copy-in f1:/x --copy-in f2:/x/y
refused "'f2' cannot be put at '/etc/x' in the guest: '/etc/x' is there already, a file of 'f1'" "two files in one place there" \
    --rootfs root --copy-in f1:/etc/x --copy-in f2:/etc/x

accepted "directories that have no file in common, in another root" --rootfs root --copy-in d1:/etc --copy-in d2:/etc
accepted "directories that have no file in common" --copy-in d1:/x --copy-in d2:/x
accepted "files of the small system's" --copy-in f1:/etc/passwd --copy-in f1:/bin/busybox --copy-in d1:/etc
plan
