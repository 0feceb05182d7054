# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Figure: a boot of Debian's cloud kernel to its first process, or until it has a network, and power-off (sourced by run.sh).
# shellcheck disable=SC2016,SC2034  # dollars of awk; for lib.sh

boot_limit=120 # seconds; a boot that takes longer has failed

# boot_counts, boot_times VARIANT SUBJECT CONSOLE DISK: in boots of their own, since counting costs a little time, and most where there are most exits.
boot_counts() {
    trace_begin
    "vmm_$2" "$3" 256 "$4" "quiet bench=boot" "$TOOLS/timed" -t $boot_limit counts.time < /dev/null > counts.console 2> counts.errors
    trace_read counts
    trace_end
    if ! grep -q 'BENCH up' counts.console; then
        none "boot.$1.userspace" "$2" "the guest has not come up: $(cat counts.console counts.errors | tail -n 1 | cut -c 1-100)"
        return 1
    fi
    sample "boot.$1.userspace" "$2" "$(total counts.userspace)"
    sample "boot.$1.mmio" "$2" "$(total counts.userspace '$1 == 6')"
    sample "boot.$1.exits" "$2" "$(total counts.exits)"
    sample "boot.$1.memory-faults" "$2" "$(($(total counts.aborts) - $(total counts.mmio '$1 != 1')))"
}

boot_times() {
    [ -n "$reason" ] || entry_begin
    "vmm_$2" "$3" 256 "$4" "quiet bench=boot" "$TOOLS/timed" -t $boot_limit times.time < /dev/null > times.console 2> times.errors
    entry=
    [ -n "$reason" ] || entry=$(entry_end "$(program_name "$2")")
    grep -q 'BENCH up' times.console || return
    sample "boot.$1.wall" "$2" "$(sed -n 's/^wall //p' times.time)"
    [ -z "$entry" ] || sample "boot.$1.first-entry" "$2" "$entry"
}

# The network that a guest finds: a tap, and who answers on it.
begin_network() {
    command -v busybox > /dev/null && make_tap bench0 10.78.0.1 || return
    : > leases
    cat > udhcpd.conf << END
interface bench0
start 10.78.0.20
end 10.78.0.120
lease_file $PWD/leases
pidfile $PWD/udhcpd.pid
option subnet 255.255.255.0
END
    busybox udhcpd -f udhcpd.conf > /dev/null 2>&1 &
    dhcp=$!
}

end_network() {
    kill "$dhcp"
    ip link delete bench0
}

measure_boot() {
    reason=$(why_no_trace)
    truncate -s 8M boot.img
    variants='pl011 virtio'
    if begin_network; then variants="$variants net"; else none boot.net.userspace eret "a tap cannot be made here, or there is no busybox"; fi
    for round in $(seq "$ROUNDS"); do
        for variant in $variants; do
            for subject in $(subjects); do
                progress "boot, round $round of $ROUNDS: $subject, $variant"
                console=$variant disk=- cards=''
                case $variant in
                virtio) disk=boot.img ;;
                net) console=pl011 cards=bench0:off ;;
                esac
                if [ -n "$reason" ]; then
                    none "boot.$variant.userspace" "$subject" "$reason"
                elif ! boot_counts "$variant" "$subject" "$console" $disk; then
                    continue
                elif [ "$round" = 1 ]; then
                    count_details "boot.$variant" "$subject"
                fi
                # Who gives an address waits a while, to see that it is free.
                [ "$variant" = net ] || boot_times "$variant" "$subject" "$console" $disk
            done
        done
    done
    cards=''
    case $variants in *net) end_network ;; esac
}
