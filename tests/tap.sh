#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Runs one test program, keeps its TAP in build/tap/ for the count at the end, and passes everything through. `prove` calls it with a
# program's path. GLib's tests speak TAP when told to; scripts always do. A test program that dies bails out; only it has failed then, and
# the others still run.
#
# Usage: tap.sh PROGRAM
set -u
program=$1
name=$(printf '%s' "${program#build/native/tests/}" | tr / -)
mkdir -p build/tap
case $program in
build/native/*) set -- "$program" --tap ;;
esac
{
    "$@"
    echo $? > "build/tap/$name.status"
} | sed -u 's/^Bail out! */not ok - /' | tee "build/tap/$name.tap"
exit "$(cat "build/tap/$name.status")"
