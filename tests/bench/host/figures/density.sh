# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Figure: many idle guests on one host, and what each of them costs (sourced by run.sh).

density_mib=64
density_seconds=5

# field NAME FILE...: the sum of a line's numbers.
field() {
    name=$1
    shift
    cat "$@" 2> /dev/null | awk -v name="$name" '$1 == name { n += $2 } END { print n + 0 }'
}

# Context switches of all threads of all guests so far.
switches() {
    n=0
    for one in $pids; do
        n=$((n + $(field voluntary_ctxt_switches: "/proc/$one"/task/*/status) + $(field nonvoluntary_ctxt_switches: "/proc/$one"/task/*/status)))
    done
    echo $n
}

each() { awk -v n="$1" -v guests="$up" -v per="${2:-1}" 'BEGIN { printf "%.2f", n / guests / per }'; }

density_of() {
    pids=
    up=0
    while [ "$up" -lt "$DENSITY" ]; do
        progress "density: $1, guest $((up + 1)) of $DENSITY"
        open_guest "$1" virtio $density_mib - || break
        pids="$pids $pid"
        up=$((up + 1))
    done
    if [ "$up" -lt "$DENSITY" ]; then
        none density.private "$1" "guest $((up + 1)) has not come up; $(why_not_up "$1")"
        close_guest
    else
        sleep 2 # for what a boot leaves to be done
        [ -n "$reason" ] || trace_begin
        before=$(switches)
        sleep $density_seconds
        after=$(switches)
        if [ -n "$reason" ]; then
            none density.exits "$1" "$reason"
        else
            trace_read counts
            trace_end
            sample density.exits "$1" "$(each "$(total counts.exits)" $density_seconds)"
        fi
        sample density.switches "$1" "$(each $((after - before)) $density_seconds)"
        rollups=
        for one in $pids; do rollups="$rollups /proc/$one/smaps_rollup"; done
        # shellcheck disable=SC2086  # words
        sample density.pss "$1" "$(each "$(field Pss: $rollups)")"
        # shellcheck disable=SC2086
        sample density.private "$1" "$(each $(($(field Private_Dirty: $rollups) + $(field Private_Clean: $rollups))))"
    fi
    for pid in $pids; do close_guest; done
}

measure_density() {
    reason=$(why_no_trace)
    info guests "$DENSITY"
    for subject in $(subjects); do
        density_of "$subject"
    done
}
