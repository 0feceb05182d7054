# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# What tests of networks and sockets share (sourced behind lib.sh: `. "${LIB%.sh}-net.sh"`).
#
#   own_network                the script begins again, in a network of its own with a way out: a card with an address (10.78.0.2) and
#                              a route (by 10.78.0.1), which passt takes for its guest's
#   make_tap NAME QUEUES MTU [ADDRESS]   a tap that is up, with that address of 24 bits; skips the script where none can be made
#   serve MIB                  makes www/, with so many MiB of chance in www/data, and www/next, which says `wait`
#   say_next WORD              what www/next says from now on
#   serve_at ADDRESS:PORT      www/ by HTTP; $server is the process
#   fetched_sum URL            the checksum of what is there, within $patience seconds
#   is_data URL                whether what is there is www/data
#   checksum FILE
#   waits DEVICE               how often the I/O thread of eret's device has waited so far
#   await_socket NAME          until somebody listens at the local socket whose path ends so
#   descriptors                how many eret has open
#   keep NAME                  the machine that was started last goes on, and others may be started beside it
#   back_to NAME               whatever asks a machine means that one again
#   usual WHAT LESS            WHAT on the kinds of host that most have: Linux 6.12 and 7.3, GICv3 and GICv2; LESS on the others
# shellcheck disable=SC2034,SC2154  # used by, and from, the scripts

run_limit=$patience
exec_limit=$patience

# As passt leaves its root for another, which none can whose root is the kernel's first file system: a root that is
# mounted.
own_network() {
    # shellcheck disable=SC2016  # for that shell
    [ -n "${NETWORK-}" ] || NETWORK=own exec unshare -n -m sh -c '
        here=$PWD
        mkdir root && mount --rbind / root && cd root && mount --move . / && exec chroot . sh -c "cd \"\$1\" && exec sh \"\$2\"" sh "$here" "$1"
        exit 125' sh "$0" >&3 3>&-
    ip link set lo up
    make_tap way-out 1 1500 10.78.0.2
    ip route add default via 10.78.0.1
}

make_tap() {
    "$FIXTURES/with-tap" "$1" "$2" true || skip_all "no tap can be made here"
    ip link set "$1" mtu "$3"
    [ -z "${4-}" ] || ip addr add "$4/24" dev "$1"
    ip link set "$1" up
}

say_next() { echo "$1" > next && mv next www/next; }  # never half of it

serve() {
    mkdir www
    head -c $(($1 * 1048576)) /dev/urandom > www/data
    say_next wait
}

serve_at() {
    busybox httpd -f -p "$1" -h www 3>&- &
    server=$!
}

checksum() { sum=$(sha256sum "$1"); echo "${sum%% *}"; }
fetched_sum() {
    timeout "$patience" wget -q -O got "$1"
    checksum got
    rm -f got
}
is_data() { timeout "$patience" wget -q -O - "$1" | cmp -s - www/data; }

await_socket() {
    deadline=$(($(date +%s) + patience))
    # The state of a socket that listens is 01.
    until grep -q " 00010000 0001 01 .*[ /]$1\$" /proc/net/unix || [ "$(date +%s)" -ge "$deadline" ]; do
        sleep 0.1
    done
}

# Names of eret's threads for network cards.
card_threads() { cat "/proc/$pid/task/"*/comm | grep '^virtio-net' | LC_ALL=C sort | tr '\n' ' '; }
waits() { grep -l "^$1\$" "/proc/$pid/task/"*/comm | sed 's/comm$/status/' | xargs sed -n 's/^voluntary_ctxt_switches:\t//p'; }
descriptors() { set -- "/proc/$pid/fd"/*; echo $#; }

keep() {
    eval "pid_$1=\$pid console_$1=\$console errors_$1=\$errors"
    pid=
}
back_to() { eval "pid=\$pid_$1 console=\$console_$1 errors=\$errors_$1"; }

usual() {
    case $KIND in
    gicv3 | gicv2 | k73 | k73-gicv2 | native) echo "$1" ;;
    *) echo "$2" ;;
    esac
}
