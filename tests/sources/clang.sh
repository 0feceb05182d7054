#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Prints the path of clang's TOOL of the version that the sources are held against. What is well-formed
# differs from one version to the next: it is that of Debian 12. Where there is none, says so and ends with status 77.
#
# Usage: clang.sh clang-format|clang-tidy
tool=$1
version=14

for candidate in "$tool" "$tool-$version"; do
    if "$candidate" --version 2> /dev/null | grep -q "version $version\."; then
        command -v "$candidate"
        exit
    fi
done
here=$("$tool" --version 2> /dev/null | sed -n 's/.*version \([0-9.]*\).*/\1/p')
echo "the sources are held against $tool $version, Debian 12's; here is ${here:-none}: put $tool-$version into the PATH" >&2
exit 77
