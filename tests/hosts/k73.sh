#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Linux 7.3.
exec "$(dirname "$0")/../host/run-matrix.sh" k73 tests/long/firmware.sh tests/long/net-bridge.sh tests/long/net-offloads.sh tests/long/net-reboots.sh
