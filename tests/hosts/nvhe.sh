#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# No VHE, GICv3.
exec "$(dirname "$0")/../host/run-matrix.sh" nvhe
