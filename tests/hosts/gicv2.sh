#!/bin/sh
# No VHE, GICv2.
exec "$(dirname "$0")/../host/run-matrix.sh" gicv2
