#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# VHE, GICv3 with ITS, Linux 6.12.
exec "$(dirname "$0")/../host/run-matrix.sh" gicv3
