#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Nested virtualisation.
exec "$(dirname "$0")/../host/run-matrix.sh" k73-nested tests/long/xen.sh tests/long/firmware.sh
