# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Figure: from the start of `eret exec --rootfs DIR` to the first line of its command, where the directory is shared by virtiofsd, and where it is packed into the
# initramfs; and the most memory that eret and virtiofsd, guest included, have had at a time (sourced by run.sh).
# shellcheck disable=SC2154,SC2034  # from lib.sh

root_mib=300 # in files of 32 KiB, a hundred to a directory
root_memory=1536M # of either guest: the packed one is there twice while it is unpacked, into half of what is left
root_limit=600 # seconds
groups=/sys/fs/cgroup group=

# A root with busybox, and with what makes it large.
make_root() {
    mkdir -p "$1/bin" "$1/files/0"
    busybox=$(command -v busybox)
    [ -f "$busybox" ] || busybox=/bin/busybox # its own shell knows it by its name
    cp "$busybox" "$1/bin/busybox" || return
    for number in $(seq 100); do dd if=/dev/zero of="$1/files/0/$number" bs=32k count=1 2> /dev/null || return; done
    for number in $(seq $((root_mib * 32 / 100 - 1))); do cp -r "$1/files/0" "$1/files/$number" || return; done
}

# begin_groups: $groups, a directory for control groups that count memory: the machine's, or, where it has not mounted any, a mount of our own. False: there is none.
begin_groups() {
    groups=/sys/fs/cgroup
    if ! [ -e $groups/cgroup.controllers ]; then
        groups=$PWD/groups
        mkdir "$groups"
        mount -t cgroup2 cgroup2 "$groups" 2> /dev/null || return
    fi
    grep -qsw memory "$groups/cgroup.controllers" && echo +memory 2> /dev/null > "$groups/cgroup.subtree_control"
}
end_groups() {
    [ "$groups" = /sys/fs/cgroup ] || umount "$groups" 2> /dev/null
    rmdir groups 2> /dev/null
}

# root_start SUBJECT: to the command's first line; leaves root.time, root.errors, and in $peak the most KiB that all processes of it had.
root_start() {
    choice=
    [ "$1" = eret ] || choice=,copy
    group=$groups/eret-bench.$$
    mkdir "$group" && : > root.out && : > root.errors || return
    # shellcheck disable=SC2016  # for that shell
    sh -c 'echo $$ > "$1/cgroup.procs" && shift && exec "$@"' sh "$group" "$TOOLS/timed" -t $root_limit -u "BENCH up" root.time \
        "$ERET" exec --kernel "$KERNEL" --append quiet --memory $root_memory --rootfs "root$choice" -- /bin/busybox echo "BENCH up" < /dev/null > root.out 2> root.errors
    started=$?
    peak=$(($(cat "$group/memory.peak") / 1024))
    echo 1 2> /dev/null > "$group/cgroup.kill" # a helper that has not noticed yet
    waited=0
    until rmdir "$group" 2> /dev/null || [ $waited = 100 ]; do
        waited=$((waited + 1))
        sleep 0.1
    done
    return $started
}

root_round() { # SUBJECT
    if root_start "$1"; then
        sample root.time "$1" "$(sed -n 's/^wall //p' root.time)"
        sample root.memory "$1" "$peak"
    else
        none root.time "$1" "the command has not come so far: $(cat root.out root.errors | tr -cd ' -~\n' | tail -n 1 | cut -c 1-100)"
    fi
}

measure_root() {
    PATH=$TOOLS/back-ends/bin:$PATH
    why=
    if ! virtiofsd --version > /dev/null 2>&1; then why="there is no virtiofsd"
    elif ! begin_groups; then why="control groups that count memory cannot be had here"
    elif ! make_root root; then why="a root of $root_mib MiB cannot be made here"; fi
    if [ -n "$why" ]; then
        none root.time eret "$why"
    else
        # What both have to read of the host's, the kernel above all, is nobody's afterwards.
        progress "root: once before"
        root_start eret || :
        for round in $(seq "$ROUNDS"); do
            for variant in eret packed; do
                progress "root, round $round of $ROUNDS: $variant"
                root_round $variant
            done
        done
    fi
    end_groups
    rm -rf root
}
