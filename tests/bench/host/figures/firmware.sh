# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Figure: firmware, from power-on to the first line of the kernel that it finds on a disk (sourced by run.sh).
# shellcheck disable=SC2016,SC2034,SC2153  # dollars of awk; for lib.sh; from bench.sh

firmware_limit=300 # seconds; a boot that takes longer has failed
kernels_line="EFI stub: Booting Linux"

# firmware_boot NAME SUBJECT: to that line; leaves NAME.time, NAME.console, NAME.errors. Its variables are those that
# firmware is delivered with.
firmware_boot() {
    [ -z "$variables" ] || cp "$FIRMWARE/AAVMF_VARS.fd" "$variables"
    "vmm_$2" pl011 512 firmware.img '' "$TOOLS/timed" -t $firmware_limit -u "$kernels_line" "$1.time" < /dev/null > "$1.console" 2> "$1.errors"
}

# firmware_counts, firmware_times VARIANT SUBJECT: in boots of their own, as of the figure `boot`.
firmware_counts() {
    trace_begin
    firmware_boot counts "$2"
    reached=$?
    trace_read counts
    trace_end
    if [ "$reached" != 0 ]; then
        none "firmware.$1.userspace" "$2" "the kernel has not been started: $(cat counts.console counts.errors | tr -cd ' -~\n' | tail -n 1 | cut -c 1-100)"
        return 1
    fi
    sample "firmware.$1.userspace" "$2" "$(total counts.userspace)"
    sample "firmware.$1.exits" "$2" "$(total counts.exits)"
}

# Processor time of all threads, the guest's included: firmware also waits, for somebody to press a key.
firmware_times() {
    firmware_boot times "$2" || return
    sample "firmware.$1.time" "$2" "$(awk '$1 == "user" || $1 == "system" { n += $2 } END { print n }' times.time)"
}

measure_firmware() {
    reason=$(why_no_trace)
    cp "$TOOLS/firmware.img" firmware.img
    for round in $(seq "$ROUNDS"); do
        for variant in uefi u-boot; do
            case $variant in
            uefi) firmware=$FIRMWARE/AAVMF_CODE.fd variables=variables.fd ;;
            u-boot) firmware=$FIRMWARE/u-boot.bin variables= ;;
            esac
            for subject in $(subjects); do
                progress "firmware, round $round of $ROUNDS: $subject, $variant"
                if [ -n "$reason" ]; then
                    none "firmware.$variant.userspace" "$subject" "$reason"
                elif ! firmware_counts "$variant" "$subject"; then
                    continue
                elif [ "$round" = 1 ]; then
                    count_details "firmware.$variant" "$subject"
                fi
                firmware_times "$variant" "$subject"
            done
        done
    done
    firmware='' variables=''
    rm -f firmware.img variables.fd
}
