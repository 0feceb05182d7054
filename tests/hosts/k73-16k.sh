#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Pages of 16 KiB.
exec "$(dirname "$0")/../host/run-matrix.sh" k73-16k tests/boot/linux-16k.sh
