# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Figure: output on the console, as fast as the guest can (sourced by run.sh). It ends in a file.

virtio_times=16 # as much where a character is no exit

console_flood() { # SUBJECT CONSOLE
    kib=$CONSOLE_KIB
    [ "$2" = pl011 ] || kib=$((kib * virtio_times))
    forget
    counted flood "$kib"
    ns=$(said console)
    [ -n "$ns" ] || {
        none "console.$2.rate" "$1" "the guest has not finished: $(last_line)"
        return
    }
    sample "console.$2.rate" "$1" "$(awk -v kib="$kib" -v ns="$ns" 'BEGIN { printf "%.2f", kib * 1000000000 / ns }')"
    if [ -n "$reason" ]; then
        none "console.$2.userspace" "$1" "$reason"
    else
        sample "console.$2.userspace" "$1" "$(awk -v n="$(total counts.userspace)" -v kib="$kib" 'BEGIN { printf "%.2f", n / kib }')"
    fi
}

# As with the disk, both guests are there all the time.
open_for_console() { # SUBJECT CONSOLE
    progress "console: $1, $2"
    if open_guest "$1" "$2" 256 -; then
        park_guest "$2.$1"
        return
    fi
    none "console.$2.rate" "$1" "$(why_not_up "$1")"
    close_guest
}

measure_console() {
    reason=$(why_no_trace)
    for console in pl011 virtio; do
        for subject in $(subjects); do open_for_console "$subject" $console; done
        for round in $(seq "$ROUNDS"); do
            for subject in $(subjects); do
                progress "console, round $round of $ROUNDS: $subject, $console"
                recall_guest "$console.$subject" 2> /dev/null || continue
                console_flood "$subject" $console
                park_guest "$console.$subject"
            done
        done
        for subject in $(subjects); do recall_guest "$console.$subject" 2> /dev/null && close_guest; done
    done
}
