#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A host with nested virtualisation: eret in eret.
cd "$(dirname "$0")/../.." || exit
exec tests/host/run-tests.sh k73-nested tests/boot/nested.sh tests/boot/doctor.sh
