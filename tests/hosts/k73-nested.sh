#!/bin/sh
# Nested virtualisation.
exec "$(dirname "$0")/../host/run-matrix.sh" k73-nested
