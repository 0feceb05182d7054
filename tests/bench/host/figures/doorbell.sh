# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Figure: the guest's side of a doorbell that wakes a thread on another CPU, by the programs of trips.sh (sourced by run.sh).
# shellcheck source=tests/bench/host/figures/trips.sh
. "$BENCH/figures/trips.sh"

measure_doorbell() {
    none trips.doorbell qemu "it attaches its doorbells when a driver has set the device up, which this program does not"
    for round in $(seq "$ROUNDS"); do
        for subject in eret minimal; do
            progress "doorbell, round $round of $ROUNDS: $subject"
            sample_trips "$subject" trips doorbell
        done
    done
}
