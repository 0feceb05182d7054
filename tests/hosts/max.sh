#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Every feature that the emulator knows: SVE, pointer authentication, 52 bits of address.
exec "$(dirname "$0")/../host/run-matrix.sh" max
