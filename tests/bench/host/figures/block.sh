# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Figure: requests of 4 KiB on a virtio disk, and what each costs in exits (sourced by run.sh). The image is a raw file, all of it written, the same for every monitor.

block_mib=32
deep=10 # times as many requests where many are under way at once

# per_request COUNT BASE: to two decimals; what the command alone costs, without a request, is taken off.
per_request() { awk -v n="$1" -v base="$2" -v requests="$requests" 'BEGIN { n -= base; printf "%.2f", (n < 0 ? 0 : n) / requests }'; }

block_load() { # SUBJECT read|write sequential|random DEPTH
    figure=block.$2.$3.$4
    requests=$((BLOCK_REQUESTS * ($4 > 1 ? deep : 1)))
    forget
    counted block-load /dev/vda "$2" "$3" "$4" "$requests"
    ns=$(said block)
    [ -n "$ns" ] || {
        none "$figure.rate" "$1" "the guest has not finished: $(last_line)"
        return
    }
    sample "$figure.rate" "$1" "$(awk -v n="$requests" -v ns="$ns" 'BEGIN { printf "%.1f", n * 1000000000 / ns }')"
    [ -z "$reason" ] || {
        none "$figure.exits" "$1" "$reason"
        return
    }
    sample "$figure.exits" "$1" "$(per_request "$(total counts.exits)" "$idle_exits")"
    sample "$figure.userspace" "$1" "$(per_request "$(total counts.userspace)" "$idle_userspace")"
}

# Both monitors' guests are there all the time, so that a round is of one moment; one of them stands still.
open_for_block() {
    progress "disk: $1"
    dd if=/dev/zero of="block.$1.img" bs=1M count=$block_mib 2> /dev/null
    if open_guest "$1" virtio 256 "block.$1.img"; then
        park_guest "block.$1"
        return
    fi
    none block.read.random.1.rate "$1" "$(why_not_up "$1")"
    close_guest
}

block_round() {
    recall_guest "block.$1" 2> /dev/null || return
    counted block-load /dev/vda read random 1 1
    [ -n "$reason" ] || idle_exits=$(total counts.exits) idle_userspace=$(total counts.userspace)
    for depth in 1 32; do
        block_load "$1" read sequential $depth
        block_load "$1" read random $depth
        block_load "$1" write random $depth
    done
    park_guest "block.$1"
}

measure_block() {
    reason=$(why_no_trace)
    for subject in $(subjects); do open_for_block "$subject"; done
    for round in $(seq "$ROUNDS"); do
        for subject in $(subjects); do
            progress "disk, round $round of $ROUNDS: $subject"
            block_round "$subject"
        done
    done
    for subject in $(subjects); do recall_guest "block.$subject" 2> /dev/null && close_guest; done
}
