#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Builds some of the kernel's own tests (tools/testing/selftests) for ARM64 from Debian's linux-source, static, so that they run in a guest that has nothing else:
#
#   build/selftests/run_kselftest.sh    what kernel developers run; its results are KTAP
#   build/selftests/kselftest-list.txt  COLLECTION:TEST, a line each
#
# Usage: selftests.sh      What is already there is left alone: a second call needs no network.
set -eu
umask 022

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/.." && pwd)
build=$root/build
# shellcheck source=guest-images/private-apt.sh
. "$here/private-apt.sh"

version=6.12
collections="breakpoints clone3 core futex/functional kcmp membarrier pidfd proc ptrace seccomp sigaltstack size sync timens arm64"
# Of arm64/, what can be linked statically.
arm64_subtargets="tags abi"
if [ "$(uname -m)" = aarch64 ]; then cross=; else cross=aarch64-linux-gnu-; fi

[ -z "$(find "$0" -newer "$build/selftests" 2>/dev/null || echo missing)" ] && exit 0

take_turn selftests

[ -e "$build/cache/linux-source-$version.deb" ] || prepare_apt
download "linux-source-$version" "$work/package"
say "building the kernel's self-tests"
source=linux-source-$version
mkdir "$work/kernel"
tar -C "$work/kernel" --strip-components=1 --wildcards -xf "$(find "$work/package" -name "$source.tar.*")" \
    "$source/Makefile" "$source/scripts/*" "$source/usr/*" "$source/include/uapi/*" "$source/include/asm-generic/*" "$source/arch/arm64/Makefile" \
    "$source/arch/arm64/include/*" "$source/arch/arm64/tools/*" "$source/tools/include/*" "$source/tools/arch/arm64/*" "$source/tools/scripts/*" \
    "$source/tools/build/*" "$source/tools/testing/selftests/*"

# A make of our own must not leak into the kernel's. FORCE_TARGETS: a test that cannot be built is an error.
unset MAKEFLAGS MFLAGS MAKELEVEL
kernel_make() {
    make -s -j"$(nproc)" -C "$work/kernel" ARCH=arm64 CROSS_COMPILE="$cross" "$@" > "$work/log" 2>&1 || {
        cat "$work/log" >&2
        fail "the kernel's self-tests cannot be built"
    }
}
kernel_make headers
kernel_make -C tools/testing/selftests CC="${cross}gcc -static" TARGETS="$collections" ARM64_SUBTARGETS="$arm64_subtargets" FORCE_TARGETS=1 \
    INSTALL_PATH="$work/selftests" install
find "$work/selftests" -type f -size +100k -exec "${cross}strip" {} +
touch "$work/selftests"
rm -rf "$build/selftests"
mv "$work/selftests" "$build/selftests"
