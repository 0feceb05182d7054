# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Figure: random writes of 4 KiB to a virtio disk that keeps its image as it is, eret's `cow`, QEMU's `snapshot=on`; QEMU with io_uring and an I/O thread (sourced by
# run.sh). What was written once is no longer the image's, so each round has guests of its own.
# shellcheck disable=SC2034,SC2154  # for lib.sh, trace.sh, and from disk.sh

cow_mib=256 # of which a round writes less than a twentieth, for the most part what was not written before

cow_round() { # SUBJECT
    disk_base
    for depth in 1 32; do
        disk_load "cow.$depth" "$1" fill random $depth $((BLOCK_REQUESTS * (depth > 1 ? 10 : 1)))
    done
}

measure_cow() {
    # With room for what is written, of QEMU in pieces of 64 KiB.
    begin_images $((cow_mib * 3)) || {
        end_images
        none cow.1.rate eret "$no_images"
        return
    }
    reason=$(why_no_trace) counts_calls=yes disk_queues=1 disk_throwaway=yes TMPDIR=$PWD/images
    make_image images/cow $cow_mib
    for round in $(seq "$ROUNDS"); do
        for subject in $(subjects); do
            progress "disk, round $round of $ROUNDS: $subject, copy-on-write"
            if open_guest "$subject" virtio 256 images/cow; then
                cow_round "$subject"
            else
                none cow.1.rate "$subject" "$(why_not_up "$subject")"
            fi
            close_guest
        done
    done
    counts_calls='' disk_queues='' disk_throwaway='' TMPDIR=$PWD
    end_images
}
