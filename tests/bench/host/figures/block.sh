# shellcheck shell=sh
# Figure: requests of 4 KiB on a virtio disk, and what each costs in exits (sourced by run.sh). The image is a raw file, all of it written, the same for every monitor.

block_mib=32
deep=5 # times as many requests where many are under way at once

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

measure_block() {
    reason=$(why_no_trace)
    dd if=/dev/zero of=block.img bs=1M count=$block_mib 2> /dev/null
    for subject in $(subjects); do
        progress "disk: $subject"
        if ! open_guest "$subject" virtio 256 block.img; then
            none block.read.random.1.rate "$subject" "$(why_not_up "$subject")"
            close_guest
            continue
        fi
        counted block-load /dev/vda read random 1 1
        [ -n "$reason" ] || idle_exits=$(total counts.exits) idle_userspace=$(total counts.userspace)
        for round in $(seq "$ROUNDS"); do
            progress "disk, round $round of $ROUNDS: $subject"
            for depth in 1 32; do
                block_load "$subject" read sequential $depth
                block_load "$subject" read random $depth
                block_load "$subject" write random $depth
            done
        done
        close_guest
    done
}
