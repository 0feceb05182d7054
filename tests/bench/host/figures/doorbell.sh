# shellcheck shell=sh
# Figure: see trips.sh (sourced by run.sh).
# shellcheck source=tests/bench/host/figures/trips.sh
. "$BENCH/figures/trips.sh"
