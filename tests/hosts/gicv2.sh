#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# No VHE, GICv2.
exec "$(dirname "$0")/../host/run-matrix.sh" gicv2 tests/long/firmware.sh tests/long/firmware-acpi.sh tests/long/net-bridge.sh tests/long/net-offloads.sh tests/long/net-reboots.sh
