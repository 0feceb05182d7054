#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Linux 7.3.
exec "$(dirname "$0")/../host/run-matrix.sh" k73
