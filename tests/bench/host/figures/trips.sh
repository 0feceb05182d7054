# shellcheck shell=sh
# Figure: round trips out of a bare-metal program, the same under every monitor (sourced by run.sh).

trips_limit=60 # seconds

trips_eret() { "$TOOLS/timed" -t $trips_limit trips.time "$ERET" run --kernel "$TOOLS/trips" --memory 64M --transport mmio --rng; }
trips_qemu() {
    "$TOOLS/timed" -t $trips_limit trips.time env LD_LIBRARY_PATH="$LIBRARIES" "$QEMU" -M virt,gic-version="$GIC" -accel kvm -cpu host -smp 1 -m 64M -nodefaults \
        -display none -no-reboot -serial stdio -kernel "$TOOLS/trips"
}
trips_minimal() { "$TOOLS/timed" -t $trips_limit trips.time "$TOOLS/minimal-loop" "$TOOLS/trips"; }

measure_trips() {
    none trips.hvc qemu "QEMU has no hypercall that userspace answers"
    none trips.doorbell qemu "QEMU attaches its doorbells when a driver has set the device up, which this program does not"
    none trips.interrupt eret "not measured yet: see the disk at depth 1, which consists of a doorbell and an interrupt"
    for round in $(seq "$ROUNDS"); do
        for subject in $(subjects) minimal; do
            progress "round trips, round $round of $ROUNDS: $subject"
            "trips_$subject" < /dev/null 2> trips.errors | tr -d '\r' > trips.out
            awk -f "$BENCH/trips.awk" trips.out > trips.values
            [ -s trips.values ] || none trips.read "$subject" "the program printed nothing: $(tail -n 1 trips.errors | cut -c 1-100)"
            while read -r name ns; do
                [ "$subject $name" != "qemu doorbell" ] || continue
                sample "trips.$name" "$subject" "$ns"
            done < trips.values
        done
    done
}
