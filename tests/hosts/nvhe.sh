#!/bin/sh
# No VHE, GICv3.
exec "$(dirname "$0")/../host/run-matrix.sh" nvhe
