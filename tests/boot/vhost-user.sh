#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A device in another process: it gives what that process says, without a thread of eret's in between, and lives and dies with it.
# limit: 1500
# shellcheck source=tests/host/lib.sh
. "$LIB"
# shellcheck source=tests/host/lib-net.sh
. "${LIB%.sh}-net.sh"

# start_back_end BYTE [inflight]
start_back_end() {
    "$GUESTS/rng-back-end" rng.sock "$@" 2>> back-end.log &
    back_end=$!
    await_socket rng.sock
}
kill_back_end() {
    kill -KILL "$back_end"
    wait "$back_end" 2> /dev/null || true
}
filled() { printf "%064d" 0 | sed "s/00/$1/g"; }

run_eret --kernel "$KERNELS/6.12/Image" --device vhost-user=rng.sock,type=rng
is "$status" 1 "without a back end there is no machine, status 1"
like "$errors" 'cannot connect to the vhost-user back end .*rng.sock: .*; start the back end first' "it is said why, and what to do"

start_back_end 90
boot rng --device vhost-user=rng.sock,type=rng
is "$status" 0 "virtio-pci: the guest powers off, status 0"
like "$console" 'GUEST hwrng=virtio_rng' "the kernel's source is the device"
is "$(guest random)" "$(filled 5a)" "what it gives is the back end's"
boot rng --device vhost-user=rng.sock,type=4,queues=1 --transport mmio
is "$status" 0 "virtio-mmio: the guest powers off, status 0"
is "$(guest random)" "$(filled 5a)" "what it gives is the back end's"

start_eret --kernel "$KERNELS/6.12/Image" --initrd "$KERNELS/6.12/initrd" --append 'quiet eret.mode=shell' \
    --device vhost-user=rng.sock,type=rng
wait_console 'guest:/# ' $patience
like "/proc/$pid/maps" ' rw-s .*memfd:eret-guest-ram' "the guest's memory is shared"
send 'dd if=/dev/hwrng of=/dev/null bs=64 count=1 && echo b""egun\n'
wait_console '^begun' $patience
before=$(waits vhost-user0)
send 'dd if=/dev/hwrng of=/dev/null bs=64 count=100 && echo d""one\n'
wait_console '^done' $patience
after=$(waits vhost-user0)
check "100 requests wake no thread of eret's ($((after - before)) times)" [ "$((after - before))" -le 5 ]

# The driver waits for ever for what the dead one had; what it did not have is the guest's.
kill_back_end
send 'echo a""live\n'
wait_console '^alive' $patience && passed "the back end is killed: the guest lives on"
check "a message says who died" grep -q 'vhost-user0: vhost-user back end .*rng.sock has closed its connection; it needs a reset by its driver' "$errors"
start_back_end 165
send 'reboot -f\n'
check "it boots again" lines 'This is Linux' 2 $patience
send 'dd if=/dev/hwrng bs=8 count=1 iflag=fullblock 2>/dev/null | hexdump -C\n'
wait_console 'a5 a5 a5 a5 a5 a5 a5 a5' $patience && passed "after a reboot the guest has the new one"
send 'poweroff -f\n'
finish_eret $patience
is "$status" 0 "it powers off, status 0"
kill_back_end

# One that writes down what it has in hand is killed again and again, and the guest does not notice.
start_back_end 60 inflight
start_eret --kernel "$KERNELS/6.12/Image" --initrd "$KERNELS/6.12/initrd" --append 'quiet eret.mode=shell' \
    --device vhost-user=rng.sock,type=rng
wait_console 'guest:/# ' $patience
send 'dd if=/dev/hwrng bs=64 count=300 iflag=fullblock 2>/dev/null > /tmp/bytes; echo "dd=$?"; wc -c < /tmp/bytes; tr -d "\\074" < /tmp/bytes | wc -c\n'
rounds=0
until grep -q '^dd=' "$console" || [ "$rounds" -ge 20 ]; do
    sleep 1
    kill_back_end
    sleep 0.3
    start_back_end 60 inflight
    rounds=$((rounds + 1))
done
wait_console '^dd=0' $patience
# shellcheck disable=SC2016  # for the guest's shell
send 'echo status=$(cat /sys/bus/virtio/devices/*/status | sort -u)\n'
wait_console '^status=' $patience
is "$(tr -d '\r' < "$console" | grep -A 2 '^dd=' | tr '\n' ' ')" "dd=0 19200 0 " "its 300 requests are all answered, by those that came after it"
check "some of them were in hand when one was killed" grep -q 'with 1 in hand' back-end.log
like "$errors" 'rng.sock has closed its connection; what the guest asks for waits until it is there again, for up to 60 seconds' "the log says so"
like "$errors" 'rng.sock is there again, and goes on' "and that another has come"
unlike "$errors" 'needs a reset' "and nothing else"
is "$(tr -d '\r' < "$console" | sed -n 's/^status=//p')" 0x0000000f "the device does not need a reset"
send 'poweroff -f\n'
finish_eret $patience
is "$status" 0 "it powers off, status 0"
kill_back_end
