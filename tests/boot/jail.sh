#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Guests in jails: as another user, in a root and namespaces of their own, under a limit of memory; with a tap in a network namespace, and
# with passt's network; two at the same time. What is refused, and that nothing is left, whoever was killed.
# limit: 1500
# root
# shellcheck source=tests/host/lib.sh
. "$LIB"
# shellcheck source=tests/host/lib-net.sh
. "${LIB%.sh}-net.sh"
PATH=$PATH:$FIXTURES  # Debian's passt, where the host has none

command -v busybox > /dev/null || skip_all "there is no busybox"
own_network
user=4711
base=$PWD/jails
groups=/sys/fs/cgroup
if ! grep -q ' - cgroup2 ' /proc/self/mountinfo; then
    mkdir -p groups
    mount -t cgroup2 none groups || skip_all "this host has no control groups of version 2"
    groups=$PWD/groups
else
    groups=$(sed -n 's/^[^ ]* [^ ]* [^ ]* [^ ]* \([^ ]*\) .* - cgroup2 .*/\1/p' /proc/self/mountinfo | head -n 1)
fi
kvm_group=$(stat -c %g /dev/kvm)
# On hosts whose node is root's alone, as the emulated one's: a group for it.
case $(stat -c %a /dev/kvm) in
*[67] | *[67]?) ;;
*) chmod 660 /dev/kvm; chgrp $user /dev/kvm; kvm_group=$user ;;
esac
# As Debian has it; without udev it is root's alone.
[ "$KIND" = native ] || chmod 666 /dev/net/tun
libraries=
for directory in ${LD_LIBRARY_PATH-}; do
    libraries="$libraries --bind $directory,ro --env LD_LIBRARY_PATH"
done

# jail NAME OPTION... -- COMMAND...: in front, with out and errors.N
in_jail() {
    name=$1
    shift
    # shellcheck disable=SC2086  # words
    timeout $patience "$ERET" jail --id "$name" --uid $user --gid "$kvm_group" --chroot-base-dir "$base" $libraries --bind "$KERNELS,ro" "$@"
}
# The same in the background; $pid is the process that waits.
start_jail() {
    new_guest "jail $*"
    name=$1
    shift
    # shellcheck disable=SC2086  # words
    "$ERET" jail --id "$name" --uid $user --gid "$kvm_group" --chroot-base-dir "$base" $libraries --bind "$KERNELS,ro" "$@" \
        < /dev/null > "$console" 2> "$errors" 3>&- 4>&- &
    pid=$!
}
test_kernel() { echo "--kernel $KERNELS/6.12/Image --initrd $KERNELS/6.12/initrd"; }
# What is left: directories, groups, mounts, processes of the user.
left() {
    [ ! -e "$base" ] || find "$base" -mindepth 1
    [ ! -e "$groups/eret" ] || find "$groups/eret" -type d
    grep -F "$base" /proc/self/mountinfo
    for status in /proc/[0-9]*/status; do
        ! grep -q "^Uid:	$user	" "$status" 2> /dev/null || grep '^Name:' "$status"
    done
}
# The process of the jail's user whose parent is $pid.
jailed() {
    # shellcheck disable=SC2013  # words
    for child in $(cat "/proc/$pid/task/$pid/children"); do
        grep -q "^Uid:	$user	$user	" "/proc/$child/status" && echo "$child"
    done
}
status_of() { sed -n "s/^$1:[	 ]*//p" "/proc/$inner/status"; }

# shellcheck disable=SC2016  # for the guest's shell
in_jail one --cgroup memory.max=700M -- exec --kernel "$KERNELS/6.12/Image" --append quiet -- sh -c 'echo in a guest; exit 7' > out 2> errors.0
is "$?:$(cat out)" "7:in a guest" "a guest runs a command in a jail, whose status is its"
is "$(left)" "" "nothing is left of it"

# shellcheck disable=SC2046  # words
start_jail two --cgroup memory.max=700M --cgroup pids.max=200 -- run $(test_kernel) --append "quiet eret.mode=test eret.test=idle" --memory 256M
if wait_console 'GUEST idle' $patience; then
    inner=$(jailed)
    is "$(status_of Uid)" "$user	$user	$user	$user" "it is another user"
    is "$(status_of Groups)" "" "in no groups beside its own"
    is "$(status_of CapPrm)$(status_of CapBnd)$(status_of NoNewPrivs)" "000000000000000000000000000000001" "without capabilities, nor a way to any"
    is "$(cat "$groups/eret/two/memory.max")" 734003200 "its memory's limit is in force"
    check "for its process" grep -qx "$inner" "$groups/eret/two/cgroup.procs"
    check "which uses some" test "$(cat "$groups/eret/two/memory.current")" -gt 10000000
    is "$(cat "$groups/eret/cgroup.procs")" "" "no process is in a group above"
    check "nothing of the host is in its root" test ! -e "/proc/$inner/root/sys"
    check "nor of the jail's: it has one of its own in there" test ! -e "/proc/$inner/root/lib"
    isnt "$(readlink "/proc/$inner/ns/pid")" "$(readlink /proc/self/ns/pid)" "its processes are its own"
    in_jail two -- run --dry-run > out 2> errors.0
    is "$?" 1 "a second one of its name is refused"
    like errors.0 "eret: a jail 'two' runs already, by process $pid: its directory is '$base/eret/two'" "and why"
    in_jail three -- exec --kernel "$KERNELS/6.12/Image" --append quiet -- echo beside > out 2> errors.0
    is "$?:$(cat out)" "0:beside" "one of another name runs beside it"
fi
kill -TERM "$pid"
finish_eret $patience
is "$status" 0 "SIGTERM presses the guest's power button, in there as here"
is "$(left)" "" "nothing is left of it"

# shellcheck disable=SC2046  # words
start_jail killed -- run $(test_kernel) --append "quiet eret.mode=test eret.test=idle" --memory 256M
if wait_console 'GUEST idle' $patience; then
    inner=$(jailed)
    kill -KILL "$inner"
fi
finish_eret $patience
is "$status:$(left)" "137:" "where eret is killed, nothing is left, and the status says so"

# shellcheck disable=SC2046  # words
start_jail killed -- run $(test_kernel) --append "quiet eret.mode=test eret.test=idle" --memory 256M
if wait_console 'GUEST idle' $patience; then
    inner=$(jailed)
    kill -KILL "$pid"
    finish_eret $patience
    tries=0
    while running "$inner" && [ $tries -lt 50 ]; do
        tries=$((tries + 1))
        sleep 0.2
    done
    check "where the one that waits is killed, eret ends with it" test $tries -lt 50
fi
check "the directory is left then" test -d "$base/eret/killed/root"
in_jail killed -- run --dry-run --kernel "$KERNELS/6.12/Image" > out 2> errors.0
is "$?:$(left)" "0:" "until the next one of its name"

# A tap in a network namespace: that of a process which makes one and waits.
# shellcheck disable=SC2016  # for that shell
unshare -n sh -c '"$1" jailed 1 true && ip addr add 10.79.0.1/24 dev jailed && ip link set jailed up && : > tap-ready && exec sleep 1000' \
    sh "$FIXTURES/with-tap" 3>&- &
holder=$!
tries=0
until [ -e tap-ready ] || [ $tries -ge 100 ]; do tries=$((tries + 1)); sleep 0.1; done
# shellcheck disable=SC2016  # for the guest's shell
in_jail tap --netns "/proc/$holder/ns/net" -- exec --kernel "$KERNELS/6.12/Image" --append quiet --net tap=jailed,vhost=off -- \
    sh -c 'card=$(ls /sys/class/net | grep -v lo | head -n 1); ip addr add 10.79.0.2/24 dev "$card"; ip link set "$card" up
        ping -c 2 -W 20 10.79.0.1 > /dev/null && echo reached' > out 2> errors.0
is "$?:$(cat out)" "0:reached" "a tap in another network namespace is there in a jail"
kill "$holder"

if command -v passt > /dev/null; then
    serve 1
    serve_at 127.0.0.1:8080
    # shellcheck disable=SC2016  # for the guest's shell
    in_jail user-net --bind "$FIXTURES,ro" -- exec --kernel "$KERNELS/6.12/Image" --append quiet --net user -- \
        sh -c 'wget -q -O - "http://$(ip route | sed -n "s/^default via \([0-9.]*\).*/\1/p"):8080/next"' > out 2> errors.0
    is "$?:$(cat out)" "0:wait" "passt's network is there in a jail"
    kill "$server"
    is "$(left)" "" "nothing is left of it"
else
    skip "passt's network in a jail" "there is no passt"
fi

: > kernel
in_jail no-file -- run --kernel "$PWD/kernel" > out 2> errors.0
is "$?" 2 "a file that is not in the jail is a mistake"
like errors.0 "--kernel: '$PWD/kernel' is not in the jail, whose root is another: --bind $PWD/kernel puts it there" "and what to do"
in_jail no-file --cgroup memory.nothing=1 -- run --dry-run > out 2> errors.0
is "$?" 1 "a limit that there is not"
like errors.0 'cgroup memory.nothing=1: there is no such file' "is told of"
"$ERET" jail --id root --uid 0 --gid 0 -- run --dry-run > out 2> errors.0
is "$?" 2 "root is no user for a jail"
like errors.0 "--uid: that is root, .* --allow-root if it is meant" "unless it is meant"
is "$(left)" "" "nothing is left of any of these"
