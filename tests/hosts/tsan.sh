#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Eret with ThreadSanitizer: tests/sanitized/.
exec "$(dirname "$0")/../sanitized/run.sh" arm64-tsan
