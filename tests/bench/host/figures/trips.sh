# shellcheck shell=sh
# Figure: round trips out of bare-metal programs, the same under every monitor (sourced by run.sh).

trips_limit=60 # seconds
trips_tries=5  # processes for each value: where things happen to lie makes some of them twice as slow as others, so the quickest counts

# trips_SUBJECT PROGRAM. eret without its shortcuts: a read that needs no exit is no round trip.
trips_eret() { "$TOOLS/timed" -t $trips_limit trips.time "$ERET" run --kernel "$TOOLS/$1" --memory 64M --transport mmio --rng --exits all; }
trips_qemu() {
    with_libraries "$TOOLS/timed" -t $trips_limit trips.time "$QEMU" -M virt,gic-version=host -accel kvm -cpu host -smp 1 -m 64M -nodefaults \
        -display none -no-reboot -serial stdio -global virtio-mmio.force-legacy=false -device virtio-rng-device -kernel "$TOOLS/$1"
}
trips_minimal() { "$TOOLS/timed" -t $trips_limit trips.time "$TOOLS/minimal-loop" "$TOOLS/$1"; }

# try_trips SUBJECT PROGRAM: leaves "NAME NANOSECONDS" of the quickest of the processes in trips.values.
try_trips() {
    : > trips.tries
    for _ in $(seq "$trips_tries"); do
        "trips_$1" "$2" < /dev/null 2> trips.errors | tr -d '\r' > trips.out
        awk -f "$BENCH/trips.awk" trips.out >> trips.tries
    done
    awk '!($1 in least) || $2 < least[$1] { least[$1] = $2 } END { for (name in least) print name, least[name] }' trips.tries > trips.values
}

measure_trips() {
    none trips.hvc qemu "it has no hypercall that userspace answers"
    none trips.doorbell qemu "it attaches its doorbells when a driver has set the device up, which this program does not"
    for round in $(seq "$ROUNDS"); do
        for subject in $(subjects) minimal; do
            for program in trips ring; do
                [ "$subject $program" != "minimal ring" ] || continue
                progress "round trips, round $round of $ROUNDS: $subject, $program"
                try_trips "$subject" $program
                [ -s trips.values ] ||
                    none "trips.$([ $program = trips ] && echo read || echo interrupt)" "$subject" "$(cat trips.out trips.errors | tail -n 1 | cut -c 1-100)"
                while read -r name ns; do
                    [ "$subject $name" = "qemu doorbell" ] || sample "trips.$name" "$subject" "$ns"
                done < trips.values
            done
        done
    done
}
