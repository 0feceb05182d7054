#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The bare-metal programs of guest-images/bare/, each of which judges itself: its last line is PASS or FAIL.
# limit: 400
# shellcheck source=tests/host/lib.sh
. "$LIB"

# passes NAME OPTION...: the program says PASS, and powers off.
passes() {
    program=$1
    shift
    run_eret --kernel "$GUESTS/$program" "$@"
    like "$console" "^PASS ${program%.Image}" "$program $*: says PASS"
    unlike "$console" '^not ok' "$program $*: every check of it passes"
    is "$status" 0 "$program $*: powers off, status 0"
}

if [ "$KIND" = k61 ]; then need=doorbell; else need=all; fi

passes hello
passes smp --cpus 4
passes timer --cpus 4
passes exceptions
passes stage2
passes accesses --scratch
passes permissions --scratch --cpus 2
cp "$FIXTURES/ext4.img" disk.img
passes registers --disk disk.img
passes registers --disk disk.img --exits all
start_eret --kernel "$GUESTS/registers" --append listen
for line in 1 2 3; do
    wait_console "type line $line" 30 || break
    send 'twelve bytes\n'
done
finish_eret 30
like "$console" '^PASS registers' "input is seen as soon as it is there"
is "$(grep -c ', 13 bytes of it' "$console")" 3 "and all of it"
start_eret --kernel "$GUESTS/registers" --append linger
wait_console 'nothing happens any more' 30 && passed "what a guest sends appears, although it does not leave it again"
kill -KILL "$pid"
finish_eret 10
yes eret | head -c 3000000 > initrd
passes flat.Image --kernel-format raw --memory 64M --initrd initrd
passes flat --memory 64M --initrd initrd
passes services --append "need=$need"
passes psci --cpus 4

# eret_exit: the guest's code is eret's status.
run_eret --kernel "$GUESTS/services" --append "need=$need exit=42"
is "$status" 42 "eret_exit(42) is the exit status of eret"
unlike "$console" '^FAIL' "and it does not return"

# Every answer of PSCI, whoever gives it, by whatever instruction.
answers() { # NAME OPTION...
    name=$1
    shift
    passes psci-answers --cpus 4 "$@"
    tr -d '\r' < "$console" | grep '^answer' > "answers.$name"
}

if [ "$KIND" != k61 ]; then
    passes psci --cpus 4 --psci user --append psci=user
    answers kernel
    check "hundreds of them" test "$(wc -l < answers.kernel)" -gt 400
    for conduit in hvc smc; do
        answers "user-$conduit" --psci user --append "conduit=$conduit"
        is "$(diff answers.kernel "answers.user-$conduit" | head -n 20)" '' "PSCI by $conduit in userspace answers as KVM does"
    done
    # CPU_SUSPEND: a machine that stands still meanwhile, and one that ends.
    start_eret --kernel "$GUESTS/psci-answers" --psci user --append sleep
    wait_console sleeping 30 && kill -TSTP "$pid" && sleep 2 && kill -CONT "$pid"
    finish_eret 60
    is "$status" 0 "a CPU that stands by is paused, goes on and wakes up"
    like "$console" '^PASS psci-answers' "by its interrupt and no earlier"
    start_eret --kernel "$GUESTS/psci-answers" --psci user --append sleep --no-defaults --console pl011 --grace 1
    wait_console sleeping 30 && kill -TERM "$pid"
    finish_eret 30
    is "$status" 4 "one that stands by is ended"
    passes rounds
fi
