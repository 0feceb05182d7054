# shellcheck shell=sh
# Figure: output on the console, as fast as the guest can (sourced by run.sh). It ends in a file.

console_flood() { # SUBJECT CONSOLE
    forget
    counted flood "$CONSOLE_KIB"
    ns=$(said console)
    [ -n "$ns" ] || {
        none "console.$2.rate" "$1" "the guest has not finished: $(last_line)"
        return
    }
    sample "console.$2.rate" "$1" "$(awk -v kib="$CONSOLE_KIB" -v ns="$ns" 'BEGIN { printf "%.2f", kib * 1000000000 / ns }')"
    if [ -n "$reason" ]; then
        none "console.$2.userspace" "$1" "$reason"
    else
        sample "console.$2.userspace" "$1" "$(awk -v n="$(total counts.userspace)" -v kib="$CONSOLE_KIB" 'BEGIN { printf "%.2f", n / kib }')"
    fi
}

measure_console() {
    reason=$(why_no_trace)
    for subject in $(subjects); do
        for console in pl011 virtio; do
            if ! open_guest "$subject" $console 256 -; then
                none "console.$console.rate" "$subject" "$(why_not_up "$subject")"
                close_guest
                continue
            fi
            for round in $(seq "$ROUNDS"); do
                progress "console, round $round of $ROUNDS: $subject, $console"
                console_flood "$subject" $console
            done
            close_guest
        done
    done
}
