# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Figure: a virtio disk from its beginning to its end, in requests of 1 MiB; QEMU with io_uring and an I/O thread (sourced by run.sh).
# shellcheck disable=SC2034,SC2154  # for lib.sh, trace.sh, and from disk.sh

stream_mib=64
stream_bytes=1048576

stream_round() { # SUBJECT
    disk_base $stream_bytes
    for depth in 1 32; do
        disk_load "stream.read.$depth" "$1" read sequential $depth "$BLOCK_REQUESTS" $stream_bytes
        disk_load "stream.write.$depth" "$1" fill sequential $depth "$BLOCK_REQUESTS" $stream_bytes
    done
}

measure_stream() {
    begin_images $((stream_mib * 3)) || {
        end_images
        none stream.read.1.rate eret "$no_images"
        return
    }
    reason=$(why_no_trace) counts_calls=yes disk_queues=1
    for subject in $(subjects); do
        make_image "images/$subject" $stream_mib
        open_for_disk stream stream.read.1.rate "$subject" "images/$subject"
    done
    disk_rounds stream stream_round
    counts_calls='' disk_queues=''
    end_images
}
