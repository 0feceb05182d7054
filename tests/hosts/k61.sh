#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Linux 6.1, whose KVM knows no SMCCC filter.
exec "$(dirname "$0")/../host/run-matrix.sh" k61
