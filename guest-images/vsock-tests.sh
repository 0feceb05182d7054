#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds the kernel's own tests of AF_VSOCK (tools/testing/vsock) for ARM64 from Debian's linux-source, static, for guests and for hosts whose ends of the
# sockets are local ones (vsock/hybrid-socket.c):
#
#   build/vsock-tests/vsock_test    build/vsock-tests/vsock_perf
#
# Usage: vsock-tests.sh      What is already there is left alone: a second call needs no network.
set -eu
umask 022

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/.." && pwd)
build=$root/build
# shellcheck source=guest-images/private-apt.sh
. "$here/private-apt.sh"

version=6.12
if [ "$(uname -m)" = aarch64 ]; then cc=gcc; else cc=aarch64-linux-gnu-gcc; fi

[ -z "$(find "$0" "$here/vsock/hybrid-socket.c" -newer "$build/vsock-tests" 2>/dev/null || echo missing)" ] && exit 0

take_turn vsock-tests

source=linux-source-$version
[ -e "$build/cache/$source.deb" ] || prepare_apt
download "$source" "$work/package"
say "building the kernel's tests of vsock"
mkdir "$work/kernel" "$work/vsock-tests"
tar -C "$work/kernel" --strip-components=1 --wildcards -xf "$(find "$work/package" -name "$source.tar.*")" \
    "$source/tools/testing/vsock/*" "$source/tools/include/*"

wraps=
for function in socket bind listen accept connect setsockopt getsockopt getaddrinfo freeaddrinfo; do
    wraps="$wraps -Wl,--wrap=$function"
done
# build PROGRAM FILE...: with the kernel's own flags, but for what is ours to choose.
build() {
    program=$1
    shift
    # shellcheck disable=SC2086  # a list
    (cd "$work/kernel/tools/testing/vsock" &&
        $cc -O2 -I. -I../../include -Wno-pointer-sign -fno-strict-overflow -fno-strict-aliasing -fno-common -U_FORTIFY_SOURCE -D_GNU_SOURCE -static -s $wraps \
            -o "$work/vsock-tests/$program" "$@" "$here/vsock/hybrid-socket.c") || fail "the kernel's $program cannot be built"
}
build vsock_test vsock_test.c vsock_test_zerocopy.c timeout.c control.c util.c msg_zerocopy_common.c
build vsock_perf vsock_perf.c msg_zerocopy_common.c
touch "$work/vsock-tests"
rm -rf "$build/vsock-tests"
mv "$work/vsock-tests" "$build/vsock-tests"
