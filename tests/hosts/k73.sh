#!/bin/sh
# Linux 7.3.
exec "$(dirname "$0")/../host/run-matrix.sh" k73
