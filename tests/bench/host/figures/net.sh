# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Figure: streams and single bytes between guest and host, by a tap and by vsock (sourced by run.sh). A guest has two network cards, of which the host's kernel serves
# one, and a vsock device. The program that loads them, guest/net-load.c, is at both ends.
# shellcheck disable=SC2154,SC2034  # from lib.sh and trace.sh, and for them

port=7000

# net_of SUBJECT: a number for it. net_tap SUBJECT CARD, net_address SUBJECT CARD: a card's tap, and the first three numbers of its addresses.
net_of() { if [ "$1" = eret ]; then echo 1; else echo 2; fi; }
net_tap() { echo "bench$(net_of "$1")$2"; }
net_address() { echo "10.79.$(net_of "$1")$2"; }

net_load() { # FIGURE SUBJECT AMOUNT CONNECTION... WHAT
    none_of=$1 subject=$2 amount=$3
    shift 3
    forget
    counted net-load "$@" "$amount"
    ns=$(said net)
    [ -n "$ns" ] || none "$none_of" "$subject" "the guest has not finished: $(last_line)"
    [ -n "$ns" ]
}

# per_mib COUNT BASE: to two decimals; what the command alone costs, without a byte, is taken off.
per_mib() { awk -v n="$1" -v base="$2" -v mib="$NET_MIB" 'BEGIN { n -= base; printf "%.2f", (n < 0 ? 0 : n) / mib }'; }

net_stream() { # FIGURE SUBJECT CONNECTION... send|receive
    figure=$1 subject=$2
    shift 2
    net_load "$figure.rate" "$subject" 0 "$@" || return
    [ -n "$reason" ] || idle_exits=$(total counts.exits) idle_userspace=$(total counts.userspace)
    net_load "$figure.rate" "$subject" $((NET_MIB * 1048576)) "$@" || return
    sample "$figure.rate" "$subject" "$(awk -v mib="$NET_MIB" -v ns="$ns" 'BEGIN { printf "%.3f", mib * 1000000000 / ns }')"
    [ -z "$reason" ] || {
        none "$figure.exits" "$subject" "$reason"
        return
    }
    sample "$figure.exits" "$subject" "$(per_mib "$(total counts.exits)" "$idle_exits")"
    sample "$figure.userspace" "$subject" "$(per_mib "$(total counts.userspace)" "$idle_userspace")"
}

net_echo() { # FIGURE SUBJECT CONNECTION...
    figure=$1 subject=$2
    shift 2
    net_load "$figure" "$subject" "$NET_ROUNDS" "$@" echo || return
    sample "$figure" "$subject" $((ns / NET_ROUNDS))
}

open_for_net() { # SUBJECT
    progress "network: $1"
    for card in 0 1; do
        make_tap "$(net_tap "$1" $card)" "$(net_address "$1" $card).1" || {
            none net.tap.send.rate "$1" "a tap cannot be made here"
            return
        }
    done
    listeners="tcp:$(net_address "$1" 0).1:$port tcp:$(net_address "$1" 1).1:$port"
    if [ "$1" = eret ]; then
        rm -f socket.sock_$port
        listeners="$listeners unix:socket.sock_$port"
    else
        listeners="$listeners vsock:$port"
    fi
    # shellcheck disable=SC2086  # words
    "$TOOLS/net-load" serve $listeners > /dev/null 2>&1 &
    servers="$servers $!"
    cards="$(net_tap "$1" 0):off $(net_tap "$1" 1):on" socket=socket.sock
    if open_guest "$1" virtio 256 -; then
        for card in 0 1; do tell "ip addr add $(net_address "$1" $card).2/24 dev eth$card; ip link set eth$card up"; done
        sleep 2 # for what IPv6 has to say to a new network
        for card in 0 1; do tell net-load tcp "$(net_address "$1" $card).1" $port send 1048576; done # for what is learned at first
        park_guest "net.$1"
    else
        none net.tap.send.rate "$1" "$(why_not_up "$1")"
        close_guest
    fi
    cards='' socket=''
}

net_round() { # SUBJECT
    recall_guest "net.$1" 2> /dev/null || return
    for card in 0 1; do
        if [ $card = 0 ]; then name=net.tap; else name=net.vhost; fi
        for direction in send receive; do
            net_stream $name.$direction "$1" tcp "$(net_address "$1" $card).1" $port $direction
        done
        net_echo $name.echo "$1" tcp "$(net_address "$1" $card).1" $port
    done
    for direction in send receive; do net_stream vsock.$direction "$1" vsock 2 $port $direction; done
    net_echo vsock.echo "$1" vsock 2 $port
    park_guest "net.$1"
}

measure_net() {
    reason=$(why_no_trace)
    servers=
    for subject in $(subjects); do open_for_net "$subject"; done
    for round in $(seq "$ROUNDS"); do
        for subject in $(subjects); do
            progress "network, round $round of $ROUNDS: $subject"
            net_round "$subject"
        done
    done
    for subject in $(subjects); do
        recall_guest "net.$subject" 2> /dev/null && close_guest
        for card in 0 1; do ip link delete "$(net_tap "$subject" $card)"; done
    done
    # shellcheck disable=SC2086  # words
    [ -z "$servers" ] || kill $servers
}
