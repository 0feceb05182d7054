#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A host on which time is a count of instructions.
cd "$(dirname "$0")/../.." || exit
exec tests/host/run-tests.sh exact tests/boot/round-trips.sh
