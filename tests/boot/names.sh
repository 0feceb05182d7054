#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Machines with names: found, listed, looked at by several and typed into by one, stopped; what a crash leaves; and a
# machine that goes on without the terminal it was started at.
# limit: 400
# shellcheck source=tests/host/lib.sh
. "$LIB"
XDG_RUNTIME_DIR=$PWD
export XDG_RUNTIME_DIR

# state NAME: as eret ps has it.
state() { "$ERET" ps 2> ps.errors | awk -v name="$1" '$1 == name { print $2 }'; }

# until_like FILE REGEX SECONDS NAME
until_like() {
    tries=0
    until grep -qE -e "$2" "$1" || [ "$tries" -ge $(($3 * 5)) ]; do
        tries=$((tries + 1))
        usleep 200000
    done
    like "$1" "$2" "$4"
}

# The console is typed into where it was started; others look.
start_boot console-echo --name one
wait_console 'GUEST ready' 200
is "$(state one)" running "a machine is listed by its name"
is "$("$ERET" ps --json | grep -c '"name" : "one"')" 1 "and as JSON"
"$ERET" run --name one --kernel "$KERNELS/6.12/Image" > taken.out 2> taken.errors < /dev/null
is $? 1 "its name is taken"
like taken.errors "a machine named 'one' runs already" "which is said"

# One types, another looks.
mkfifo keys
"$ERET" attach one < keys > first.out 2> first.errors 3>&- &
first=$!
exec 5> keys
until_like first.out 'GUEST ready' 20 "who attaches sees what was written before"
"$ERET" attach one < /dev/null > second.out 2> second.errors 3>&- &
second=$!
until_like second.out 'GUEST ready' 20 "and so does the next"
echo 'from the first' >&5
until_like first.out 'GUEST echo: from the first' 20 "what the first types reaches the guest"
until_like second.out 'GUEST echo: from the first' 20 "and the answer reaches both"
echo 'from the third' | timeout 5 "$ERET" attach one > third.out 2>&1 3>&-
send 'from the terminal\n'
until_like second.out 'GUEST echo: from the terminal' 20 "where it was started one types as before"
unlike second.out 'from the third' "a second writer is a reader"

# The guest hears the power button.
"$ERET" stop one > stop.out 2> stop.errors
is $? 0 "eret stop ends it"
wait "$pid"
is $? 0 "by its power button"
pid=
wait "$first"
is $? 0 "who is attached is told of the end"
wait "$second"
is $? 0 "and so is the other"
exec 5>&-
is "$(ls eret)" "" "nothing is left of it"
"$ERET" stop one 2> stop.errors
is $? 1 "there is no such machine any more"

# A crash.
start_boot console-echo --name two
wait_console 'GUEST ready' 200
kill -KILL "$pid"
wait "$pid"
pid=
is "$(state two)" crashed "a machine whose process was killed has crashed"
"$ERET" attach two > attach.out 2>&1 < /dev/null
is $? 1 "nobody attaches to it"
like attach.out 'does not run any more' "which is said"
start_boot console-echo --name two
wait_console 'GUEST ready' 200
is "$(state two)" running "its name is free for another"
"$ERET" stop two --force
is $? 0 "which is ended at once"
wait "$pid"
pid=
is "$(ls eret)" "" "and nothing is left of it"

# Without a terminal.
detached() { "$ERET" run --detach --name three --kernel "$KERNELS/6.12/Image" --initrd "$KERNELS/6.12/initrd" "$@" > out 2> "$errors" < /dev/null; }
new_guest detached
detached --append 'quiet eret.mode=test eret.test=console-echo'
is $? 0 "eret run --detach returns while the machine runs"
like out '^three: runs, process [0-9]+' "and says how it is found"
is "$(state three)" running "it runs"
mkfifo keys3
"$ERET" attach three < keys3 > three.out 2>&1 3>&- &
first=$!
exec 5> keys3
until_like three.out 'GUEST ready' 200 "its console is there"
echo 'still there' >&5
until_like three.out 'GUEST echo: still there' 20 "and can be typed into"
echo 'quit' >&5
wait "$first"
is $? 0 "the guest powers off"
exec 5>&-
tries=0
until [ -z "$(ls eret)" ] || [ "$tries" -gt 50 ]; do
    tries=$((tries + 1))
    usleep 200000
done
is "$(ls eret)" "" "and nothing is left of it"
detached --kernel "$LIB"
is $? 1 "what keeps it from running is its exit status"
like "$errors" '^eret: .*(kernel|Image)' "and is said where it was asked for"
is "$(ls eret)" "" "and nothing is left of it either"

