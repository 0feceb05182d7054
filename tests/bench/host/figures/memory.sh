# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Figure: what a monitor needs for itself while its guest idles, and how large it is (sourced by run.sh).
# shellcheck disable=SC2154,SC2034  # from lib.sh, and for it

# memory_of SUBJECT MIB SUFFIX: of a guest with a console and a disk; leaves what is private in $private.
memory_of() {
    progress "memory: $1, a guest of $2 MiB"
    if ! open_guest "$1" virtio "$2" memory.img; then
        none "memory.private$3" "$1" "$(why_not_up "$1")"
        close_guest
        return 1
    fi
    [ -z "$cards" ] || tell "ip addr add 10.78.0.2/24 dev eth0; ip link set eth0 up; ping -c 4 -W 20 -s 20000 10.78.0.1"
    sleep 1
    cat "/proc/$pid/smaps" > smaps
    awk -v ram=$(($2 * 1024)) -f "$BENCH/smaps.awk" smaps > memory
    sample "memory.private$3" "$1" "$(sed -n 's/^private //p' memory)"
    sample "memory.shared$3" "$1" "$(sed -n 's/^shared //p' memory)"
    private=$(sed -n 's/^private //p' memory)
    [ -n "$3" ] || {
        sample memory.threads "$1" "$(find "/proc/$pid/task" -mindepth 1 -maxdepth 1 | wc -l)"
        # The files that its text comes from, each once.
        sed -n 's/^[0-9a-f]*-[0-9a-f]* r-xp .* \(\/.*\)$/\1/p' smaps | sort -u | xargs ls -l -L | awk '{ n += $5 } END { print int(n / 1024) }' > size
        sample memory.binary "$1" "$(cat size)"
        for part in private shared; do
            sed -n "s/^$part-part //p" memory | sort -rn | head -n 8 | while read -r kib name; do
                detail memory.$part "$1" "$name" "$kib"
            done
        done
    }
    close_guest
}

# What a network card adds, of which the monitor, or the host's kernel, moves the frames.
memory_of_cards() { # SUBJECT
    without=$private
    for vhost in off on; do
        cards=bench0:$vhost
        ! memory_of "$1" 256 -card-$vhost || sample memory.card-$vhost "$1" $((private - without))
    done
    cards=''
}

measure_memory() {
    truncate -s 8M memory.img
    make_tap bench0 10.78.0.1 || none memory.card-off eret "a tap cannot be made here"
    for subject in $(subjects); do
        memory_of "$subject" 1024 -1g
        memory_of "$subject" 256 '' && [ -e /sys/class/net/bench0 ] && memory_of_cards "$subject"
    done
    ip link delete bench0 2> /dev/null
}
