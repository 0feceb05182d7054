#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A host whose CPU has more: scalable vectors, pointer authentication, memory tagging.
cd "$(dirname "$0")/../.." || exit
exec tests/host/run-tests.sh k73-cpu tests/boot/cpu.sh
