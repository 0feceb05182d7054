# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Figure: round trips out of bare-metal programs, the same under every monitor (sourced by run.sh). TRIES: processes for each value, of which the quickest counts; where
# things happen to lie makes some twice as slow as others.

trips_limit=60 # seconds

# trips_SUBJECT PROGRAM. eret without its shortcuts: a read that needs no exit is no round trip; and with as bare a CPU as that of the minimal loop.
trips_eret() {
    "$TOOLS/timed" -t $trips_limit trips.time "$ERET" run --kernel "$TOOLS/$1" --memory 64M --transport mmio --rng --exits all --sandbox off \
        --cpu host,pmu=off,steal-time=off
}
trips_qemu() {
    with_libraries "$TOOLS/timed" -t $trips_limit trips.time "$QEMU" -M virt,gic-version=host -accel kvm -cpu host -smp 1 -m 64M -nodefaults \
        -display none -no-reboot -serial stdio -global virtio-mmio.force-legacy=false -device virtio-rng-device -kernel "$TOOLS/$1"
}
trips_minimal() { "$TOOLS/timed" -t $trips_limit trips.time "$TOOLS/minimal-loop" "$TOOLS/$1"; }

# try_trips SUBJECT PROGRAM: leaves "NAME NANOSECONDS" of the quickest of the processes in trips.values.
try_trips() {
    : > trips.tries
    for _ in $(seq "$TRIES"); do
        "trips_$1" "$2" < /dev/null 2> trips.errors | tr -d '\r' > trips.out
        awk -f "$BENCH/trips.awk" trips.out >> trips.tries
    done
    awk '!($1 in least) || $2 < least[$1] { least[$1] = $2 } END { for (name in least) print name, least[name] }' trips.tries > trips.values
}

# sample_trips SUBJECT PROGRAM NAME...: values of these names.
sample_trips() {
    subject=$1 program=$2
    shift 2
    try_trips "$subject" "$program"
    [ -s trips.values ] || none "trips.$1" "$subject" "$(cat trips.out trips.errors | tail -n 1 | cut -c 1-100)"
    for name; do
        ns=$(sed -n "s/^$name //p" trips.values)
        [ -z "$ns" ] || sample "trips.$name" "$subject" "$ns"
    done
}

measure_trips() {
    none trips.hvc qemu "it has no hypercall that userspace answers"
    for round in $(seq "$ROUNDS"); do
        for subject in $(subjects) minimal; do
            progress "round trips, round $round of $ROUNDS: $subject"
            sample_trips "$subject" trips read write hvc
            [ "$subject" = minimal ] || sample_trips "$subject" ring interrupt
        done
    done
}
