#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016  # what stands in single quotes is for the guest's shell
# What eret writes, and where: closed standard streams, files that cannot be written, files that are no regular ones.
# root
# limit: 600
# shellcheck source=tests/host/lib.sh
. "$LIB"

truncate -s 1M disk.img
cp disk.img zeros.img

# A closed stream is nobody's: none of eret's own files takes its place.
new_guest --disk disk.img
timeout 100 "$ERET" run --kernel "$GUESTS/hello.elf" --disk disk.img --record hello.rec --stats=hello.json <&- >&- 2>&-
is "$?" 0 "without standard streams: a guest runs as with them"
check "its disk is as it was" cmp disk.img zeros.img
"$ERET" trace hello.rec > summary 2> "$errors"
is "$?" 0 "and its recording is one"
like hello.json '"phase" : "guest-end"' "and so are the statistics"

timeout 200 "$ERET" exec --kernel "$image" --disk disk.img --console-log console.txt --result result.json -- \
    sh -c 'echo on-stdout; cat; echo on-stderr >&2; exit 7' <&- >&- 2>&-
is "$?" 7 "without standard streams: a command reads an empty input, and its status is its own"
check "its disk is as it was" cmp disk.img zeros.img
like console.txt 'Linux version' "the console's log is the console's"
unlike console.txt 'on-std(out|err)' "and nothing else's"
like result.json '"exit-status" : 7' "the result is there"

# A place where nothing can be written is known before the guest starts.
refused() { # STATUS OPTION...
    want=$1
    shift
    new_guest "$@"
    timeout 100 "$ERET" "$@" > out 2> "$errors" < /dev/null
    is "$?" "$want" "$*: status $want"
    like "$errors" "cannot write 'gone/file': No such file or directory" "$*: and why"
    unlike out hello "$*: and no guest has run"
}
refused 1 run --kernel "$GUESTS/hello.elf" --stats=gone/file
refused 1 run --kernel "$GUESTS/hello.elf" --record gone/file
refused 240 exec --kernel "$image" --result gone/file -- echo hello
refused 240 exec --kernel "$image" --console-log gone/file -- echo hello
refused 240 exec --kernel "$image" --stats=gone/file -- echo hello

# What is lost later spoils a run that was good, and no other.
spoilt() { # STATUS STATUS-OF-COMMAND OPTION...
    want=$1 own=$2
    shift 2
    new_guest "$@"
    timeout 200 "$ERET" exec --kernel "$image" "$@" -- sh -c "echo hello; exit $own" > out 2> "$errors" < /dev/null
    is "$?:$(cat out)" "$want:hello" "$*, exit $own: status $want, and the command's output"
    like "$errors" 'No space left on device' "$*: and why"
}
spoilt 240 0 --result result.json --console-log /dev/full --stats=/dev/full
like "$errors" 'console-log' "both are told: the log"
like "$errors" 'stats' "and the statistics"
like result.json '"exit-status" : 240' "the result has the status"
spoilt 9 9 --result /dev/full --record /dev/full
for option in --stats= '--record='; do
    new_guest $option
    timeout 100 "$ERET" run --kernel "$GUESTS/hello.elf" $option/dev/full > out 2> "$errors" < /dev/null
    is "$?" 1 "run $option/dev/full: status 1"
    like "$errors" 'No space left on device' "and why"
done
new_guest to-a-full-disk
timeout 100 "$ERET" run --kernel "$GUESTS/hello.elf" > /dev/full 2> "$errors" < /dev/null
isnt "$?" 0 "a console on a full disk: no good status"
like "$errors" "cannot write the guest's output: No space left on device" "and why"
timeout 200 "$ERET" exec --kernel "$image" --result result.json -- echo hello > /dev/full 2> "$errors" < /dev/null
is "$?" 240 "a command's output on a full disk: status 240"
like "$errors" "cannot write the command's standard output: No space left on device" "and why"
like result.json '"exit-status" : 240' "and the result has it"
new_guest --record=-
"$ERET" run --kernel "$GUESTS/hello.elf" --record - > out 2> "$errors" < /dev/null
is "$?" 2 "a recording on standard output, which is the guest's: status 2, as for any mistake"
like "$errors" "standard output is the guest's" "and why"

# No device, FIFO or link becomes a file; the reader of a FIFO reads all of it.
mknod null c 1 3
mkfifo fifo
cat fifo > came &
ln -s linked.txt link
new_guest --result null
timeout 200 "$ERET" exec --kernel "$image" --result null --stats=fifo --console-log link --record /dev/fd/9 -- true \
    9> own.rec > out 2> "$errors" < /dev/null
is "$?" 0 "to a device, a FIFO, a link and a descriptor: status 0"
wait $!
check "the device is one" [ -c null ]
check "the FIFO is one" [ -p fifo ]
check "the link is one" [ -L link ]
like came 'first instruction' "the FIFO's reader has the statistics"
like linked.txt 'Linux version' "the file behind the link has the console"
"$ERET" trace own.rec > summary 2> "$errors"
is "$?" 0 "the descriptor has a recording"
for format in chrome html; do
    ln -sf "$format.out" link
    "$ERET" trace own.rec --$format link 2> "$errors"
    is "$?:$(readlink link)" "0:$format.out" "trace --$format follows a link"
    check "to the file" [ -s $format.out ]
    "$ERET" trace own.rec --$format /dev/full 2> "$errors"
    is "$?" 1 "trace --$format to a full device: status 1"
done
"$ERET" trace own.rec --explain > /dev/full 2> "$errors"
is "$?" 1 "trace on a full standard output: status 1"
ln -sf template.json link
"$ERET" cpu dump -o link 2> "$errors"
is "$?:$(readlink link)" "0:template.json" "cpu dump follows a link"
like template.json '"registers"' "to the file"
