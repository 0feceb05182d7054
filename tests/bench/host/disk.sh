# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# What the figures of disks share (sourced, not run): a guest's load of its disk (guest/block-load.c), how quick it was, and what each request has cost.
# shellcheck disable=SC2154,SC2034  # from lib.sh and trace.sh, and for them
no_images="there is no file system for images: neither here nor in a file"

# per_request COUNT BASE: to two decimals; what the command alone costs, without a request, is taken off.
per_request() { awk -v n="$1" -v base="$2" -v requests="$requests" 'BEGIN { n -= base; printf "%.2f", (n < 0 ? 0 : n) / requests }'; }

# disk_base [BYTES [JOBS]]: what the command costs with a request for each job.
disk_base() {
    counted block-load /dev/vda read random 1 "${2:-1}" "$@"
    [ -n "$reason" ] || idle_exits=$(total counts.exits) idle_userspace=$(total counts.userspace) idle_calls=$(total counts.calls)
}

# disk_load FIGURE SUBJECT read|write|fill sequential|random DEPTH REQUESTS [BYTES [JOBS]]
disk_load() {
    load_of=$1 subject=$2 requests=$6
    shift 2
    forget
    counted block-load /dev/vda "$@"
    ns=$(said block)
    [ -n "$ns" ] || {
        none "$load_of.rate" "$subject" "the guest has not finished: $(last_line)"
        return
    }
    sample "$load_of.rate" "$subject" "$(awk -v n="$requests" -v ns="$ns" 'BEGIN { printf "%.1f", n * 1000000000 / ns }')"
    [ -z "$reason" ] || {
        none "$load_of.exits" "$subject" "$reason"
        return
    }
    sample "$load_of.exits" "$subject" "$(per_request "$(total counts.exits)" "$idle_exits")"
    sample "$load_of.userspace" "$subject" "$(per_request "$(total counts.userspace)" "$idle_userspace")"
    [ -z "$counts_calls" ] || sample "$load_of.calls" "$subject" "$(per_request "$(total counts.calls)" "$idle_calls")"
}

# open_for_disk NAME FIGURE SUBJECT IMAGE: the guest is there, and stands still.
open_for_disk() {
    progress "disk: $3, $1"
    if open_guest "$3" virtio 256 "$4"; then
        park_guest "$1.$3"
        return
    fi
    none "$2" "$3" "$(why_not_up "$3")"
    close_guest
}

# disk_rounds NAME FUNCTION: both monitors' guests are there all the time, so that a round is of one moment; one of them stands still.
disk_rounds() {
    for round in $(seq "$ROUNDS"); do
        for subject in $(subjects); do
            progress "disk, round $round of $ROUNDS: $subject, $1"
            recall_guest "$1.$subject" 2> /dev/null || continue
            "$2" "$subject"
            park_guest "$1.$subject"
        done
    done
    for subject in $(subjects); do recall_guest "$1.$subject" 2> /dev/null && close_guest; done
}

# begin_images MIB: makes the directory images, with so much room, on a file system as disks have one. An emulated host has memory alone, whose own file system has ways of
# its own: there it is one in a file, by a loop device. False: there is none. Then end_images.
begin_images() {
    mkdir images
    [ "$(stat -f -c %T .)" = tmpfs ] || return 0
    truncate -s "$1M" images.ext4 && mke2fs -F -b 4096 images.ext4 > mke2fs.out 2>&1 && mount -t ext4 -o loop images.ext4 images
}
end_images() {
    umount images 2> /dev/null
    rm -rf images images.ext4
}

# make_image FILE MIB: all of it is written.
make_image() { dd if=/dev/zero of="$1" bs=1M count="$2" 2> /dev/null; }
