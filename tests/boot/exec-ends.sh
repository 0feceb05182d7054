#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016  # what stands in single quotes is for the guest's shell
# eret exec: the ways a run can end in which the command does not come to its own end, and what only looks like one of
# them.
# limit: 700
# shellcheck source=tests/host/lib.sh
. "$LIB"

# What only looks like a panic, and one behind somebody's unfinished line.
run_exec -- sh -c 'echo "<0>Kernel panic - not syncing: says a log" > /dev/kmsg; sleep 2; echo before; printf "half a line" > /dev/console
    echo c > /proc/sysrq-trigger; sleep 60'
is "$status" 241 "panic: 241"
is "$(cat out)" before "what was said before it"
unlike "$errors" 'guest panic: says a log' "what only looked like a panic is none"
like "$errors" 'guest panic: sysrq triggered crash' "the panic's reason"
like "$errors" 'Call trace' "its trace, whole"
like "$errors" 'vCPU 0' "the vCPUs' registers"

run_exec --append "quiet" -- sh -c 'kill -9 1; kill -SEGV 1; sleep 1; echo alive'
is "$status" 0 "init cannot be killed from inside"

run_exec --timeout 5 -- sh -c 'echo begun; while :; do :; done'
is "$status" 245 "an endless loop: the command's timeout, 245"
is "$(cat out)" begun "what it said before"
like "$errors" 'timeout|did not end within' "and the reason"
unlike "$errors" ' pc [0-9a-f]{16}|no sign of life' "no registers of a guest that lives"

# No wait without an end: a guest that says how its command ended, and stays.
cat > stays << 'EOF'
#!/bin/busybox sh
busybox mkdir -p /sys /dev
busybox mount -t sysfs sys /sys
busybox mount -t devtmpfs dev /dev
for port in /sys/class/virtio-ports/*; do
    read -r name < "$port/name"
    if [ "$name" = eret.control ]; then control=/dev/${port##*/}; fi
done
printf 'hello 1\nstarted 5\nexit 4294967299\nexit 0\n' > "$control"
while :; do busybox sleep 1; done
EOF
chmod 755 stays
run_exec --copy-in stays --append 'quiet rdinit=/stays' --timeout 5 -- true
is "$status" 245 "a guest that says 'exit 0' and stays: 245"
like "$errors" 'did not come to an end within 1[5-9] s' "and how long it was waited for"
like "$errors" '1 lines .* not the protocol.s.*: exit 4294967299$' "what is no line of the protocol is counted"

run_exec --memory 128M -- sh -c 'x=aaaaaaaaaaaaaaaa; while :; do x=$x$x; done'
is "$status" 246 "out of memory: 246"

new_guest
"$ERET" exec --kernel "$image" --append quiet -- \
    sh -c 'printf "half a line"; sleep 1; echo b > /proc/sysrq-trigger; sleep 60' > "$errors" 2>&1 3>&- < /dev/null
is "$?" 243 "a reset: 243"
like "$errors" '^half a line$' "2>&1: a message does not go on with the command's line"
like "$errors" '^eret: the guest was reset, without a panic' "but has its own"
unlike "$errors" ' pc [0-9a-f]{16}' "without registers"
run_exec -- sh -c 'echo o > /proc/sysrq-trigger; sleep 60'
is "$status" 248 "a power-off without a result: 248"
unlike "$errors" ' pc [0-9a-f]{16}' "without registers, too"
run_exec --append "initcall_blacklist=virtio_pci_driver_init" -- true
is "$status" 247 "a kernel that finds no virtio device: 247"
like "$errors" 'a driver is missing' "and it says so"
run_exec --append "quiet initcall_blacklist=virtio_console_init" -- true
is "$status" 247 "a kernel without the console driver: 247"
like "$errors" 'CONFIG_VIRTIO_CONSOLE' "and it names the driver"

# An oops kills who ran into it, and, if that is wanted, the run.
run_exec --copy-in "$FIXTURES/oops.ko" --result result.json -- sh -c 'insmod /oops.ko; echo "survived $?"'
is "$status" 0 "an oops: the command's own status"
like out 'survived' "the kernel goes on"
like result.json '"Oops" : 1' "but the result has it"
run_exec --copy-in "$FIXTURES/oops.ko" --result result.json --fail-on-oops -- sh -c 'insmod /oops.ko; sleep 100'
is "$status" 242 "an oops under --fail-on-oops: 242"
like "$errors" 'guest oops: Oops: ' "what it was"
like "$errors" 'fingerprint: init_module|fingerprint: dummy_init_module' "where it was"
like "$errors" 'Unable to handle kernel' "its trace from the first line"
like result.json '"outcome" : "oops"' "and the result has it"
run_exec --copy-in "$FIXTURES/oops.ko" --fail-on-oops -- insmod /oops.ko
is "$status" 242 "an oops that ends the command: 242"
run_exec --fail-on-oops -- sh -c 'echo "<0>Internal error: Oops: 0000000096000044 [#1] SMP" > /dev/kmsg; sleep 4; echo survived; exit 5'
is "$status:$(cat out)" 5:survived "what only looks like an oops, under --fail-on-oops: the command's own status"
is "$(cat "$errors")" "" "and nothing is said of it"
run_exec --fail-on-oops -- sh -c 'echo "<0>Internal error: Oops: 0000000096000044 [#1] SMP" > /dev/kmsg; exit 6'
is "$status" 6 "and at the end of the command"

run_exec --append rdinit=/bin/busybox -- true
is "$status" 241 "the first process dies: panic, 241"
like "$errors" 'guest panic: Attempted to kill init!' "which is said"
printf '#!/bin/busybox sh\nwhile :; do sleep 1; done\n' > spin
chmod 755 spin
run_exec --copy-in spin --append rdinit=/spin --boot-timeout 15 -- true
is "$status" 244 "a first process that never gets anywhere: 244"
like "$errors" 'did not reach init within 15 s' "which is said"
like "$errors" ' pc [0-9a-f]{16}' "and where the vCPU was"

run_exec -- sh -c 'echo "<0>Kernel panic - not syncing: says a log" > /dev/kmsg; sleep 2
    i=0; while [ $i -lt 2000 ]; do echo "flood $i" > /dev/kmsg; i=$((i + 1)); done; echo survived'
is "$(cat out)" survived "a guest that floods its console"
is "$status" 0 "and its status, whatever its log says of a panic"

# A guest of the user's own: no command; good when it powers off.
run_exec_with_initrd() {
    new_guest "$@"
    "$ERET" exec --kernel "$image" --initrd "$KERNELS/6.12/initrd" "$@" > out 2> "$errors" 3>&- < /dev/null &
    pid=$!
    finish_eret 200
}
run_exec_with_initrd --append "loglevel=4 eret.mode=test eret.test=boot" --console-log console.txt --boot-timeout 2
is "$status" 0 "a guest of the user's own that powers off: 0"
like console.txt 'GUEST done' "its console is in the log"
run_exec_with_initrd --append "eret.mode=test eret.test=reboot,9"
is "$status" 243 "one that reboots: 243"
run_exec_with_initrd -- true
is "$status" 2 "and a command for it: 2"

# More than half of what memory is left, which the kernel alone knows.
head -c 62914560 /dev/zero > big
run_exec --memory 256M --copy-in big -- true
is "$status" 246 "files that the guest's kernel cannot unpack: 246"
like "$errors" 'could not unpack all that goes into it' "and it is said"
head -c 104857600 /dev/zero > big
"$ERET" exec --kernel "$image" --memory 192M --copy-in big -- true > out 2> "$errors" < /dev/null
is "$?" 240 "files that cannot fit into the guest's memory: 240"
like "$errors" 'do not fit into its memory of 192 MiB, and need more than 3[34][0-9] MiB; try --memory 512M' "which is known before the start"
"$ERET" exec --kernel "$image" > out 2> "$errors" < /dev/null
is "$?" 2 "no command: 2"
like "$errors" 'no command given' "and it is said"
