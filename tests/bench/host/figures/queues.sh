# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Figure: random reads of 4 KiB from a virtio disk with one queue, and from one with four, each of a vCPU's; QEMU with io_uring and an I/O thread a queue (sourced by run.sh).
# shellcheck disable=SC2034,SC2154  # for lib.sh, trace.sh, and from disk.sh

queues_mib=32

queues_round() { # SUBJECT
    disk_base 4096 "$disk_queues"
    for depth in 1 32; do
        disk_load "queues.$disk_queues.$depth" "$1" read random $depth $((BLOCK_REQUESTS * (depth > 1 ? 10 : 1))) 4096 "$disk_queues"
        [ "$round" != 1 ] || [ -n "$reason" ] || call_details "queues.$disk_queues.$depth.calls" "$1"
    done
}

measure_queues() {
    begin_images $((queues_mib * 3)) || {
        end_images
        none queues.1.1.rate eret "$no_images"
        return
    }
    reason=$(why_no_trace) counts_calls=yes
    for subject in $(subjects); do make_image "images/$subject" $queues_mib; done
    for disk_queues in 1 4; do
        cpus=$disk_queues
        for subject in $(subjects); do
            open_for_disk "queues-$disk_queues" "queues.$disk_queues.1.rate" "$subject" "images/$subject"
        done
        disk_rounds "queues-$disk_queues" queues_round
    done
    counts_calls='' disk_queues='' cpus=1
    end_images
}
