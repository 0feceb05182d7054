#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# No VHE, and 40 bits of guest physical address.
exec "$(dirname "$0")/../host/run-matrix.sh" nvhe-40
