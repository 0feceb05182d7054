#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What runs the tests of guests, where they run: what a sanitizer reports fails the test in which eret met it, whatever
# else the test says. Without KVM: the tests here start no guest, and write what a sanitizer would. Prints TAP.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

mkdir -p "$work/tests/boot"

# a_test NAME COMMANDS: a script that says ok.
a_test() {
    # shellcheck disable=SC2016  # for that script
    { echo "$2"; printf 'printf "%%s|ok it is well\\n" "$TEST"\n'; } > "$work/tests/boot/$1.sh"
}
a_test silent :
# shellcheck disable=SC2016  # for that script
for kind in ASAN UBSAN TSAN; do
    a_test $kind "options=\$${kind}_OPTIONS"'
        file=${options#log_path=}
        echo "WARNING: something at eret.c:7" > "${file%%:*}.123"'
done

runs() { # SANITIZER TEST
    env KIND=native ERET=/bin/true KERNELS=/ GUESTS=/ FIXTURES=/ JOBS=1 SANITIZER="$1" TMPDIR="$work" \
        sh tests/host/runner.sh "$work" "tests/boot/$2.sh" > "$work/said"
}

for kind in ASAN UBSAN TSAN; do
    runs asan $kind
    like "$work/said" "^boot/$kind\\|ok it is well\$" "$kind: what the test says is passed on"
    like "$work/said" "^boot/$kind\\|not ok the sanitizer has nothing to report\$" "$kind: a report fails the test"
    like "$work/said" "^boot/$kind\\|#   WARNING: something at eret.c:7\$" "$kind: and is shown"
done
runs asan silent
like "$work/said" '^boot/silent\|ok the sanitizer has nothing to report$' "none does not"
runs '' silent
unlike "$work/said" 'sanitizer' "without a sanitizer nothing is said of one"
plan
