# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Figure: requests of 4 KiB on a virtio disk, as the monitors serve one without being told how (sourced by run.sh). The image is a raw file, the same for every monitor, in
# /tmp: on an emulated host in memory.
# shellcheck disable=SC2034  # for trace.sh

block_mib=32
deep=10 # times as many requests where many are under way at once

block_load() { # SUBJECT read|write sequential|random DEPTH
    disk_load "block.$2.$3.$4" "$1" "$2" "$3" "$4" $((BLOCK_REQUESTS * ($4 > 1 ? deep : 1)))
}

block_round() {
    disk_base
    for depth in 1 32; do
        block_load "$1" read sequential $depth
        block_load "$1" read random $depth
        block_load "$1" write random $depth
    done
}

measure_block() {
    reason=$(why_no_trace)
    for subject in $(subjects); do
        make_image "block.$subject.img" $block_mib
        open_for_disk block block.read.random.1.rate "$subject" "block.$subject.img"
    done
    disk_rounds block block_round
    rm -f block.*.img
}
