#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Eret with AddressSanitizer, its leak checker, and UndefinedBehaviorSanitizer: tests/sanitized/.
exec "$(dirname "$0")/../sanitized/run.sh" arm64-asan
