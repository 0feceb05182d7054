#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016  # what stands in single quotes is for the guest's shell
# eret exec: the command's streams and status, files that go in and come out, signals, roots, kernels. What else a run
# can end with is exec-ends.sh's.
# limit: 700
# shellcheck source=tests/host/lib.sh
. "$LIB"

run_exec -- sh -c 'echo out; echo err >&2; exit 7'
is "$status" 7 "the command's exit status"
is "$(cat out)" out "its standard output, and nothing else"
is "$(cat "$errors")" err "its standard error, and nothing else"

run_exec -- sh -c 'kill -9 $$'
is "$status" 137 "killed by signal 9: 128 + 9"
run_exec -- no-such-command
is "$status" 127 "a command that is not there: 127"
like "$errors" 'no-such-command' "and its name"
# As `make install` puts it, with a busybox of its own, told by its length.
mkdir -p installed/bin installed/lib/eret
cp "$ERET" installed/bin/eret
{ cat "$KERNELS/../busybox/busybox" 2> /dev/null || cat /bin/busybox; echo longer; } > installed/lib/eret/busybox
built=$ERET
ERET=$PWD/installed/bin/eret
run_exec --env "GREETING=hello world" --cwd /tmp -- sh -c 'echo "$GREETING from $(pwd)"; wc -c < /bin/busybox'
ERET=$built
is "$(head -n 1 out)" "hello world from /tmp" "environment and directory"
is "$(sed -n 2p out)" "$(wc -c < installed/lib/eret/busybox)" "the guest's busybox is what was installed with eret"
rm -r installed

head -c 8388608 /dev/urandom > big
input=big
run_exec -- sh -c 'cat; echo done >&2'
input=/dev/null
is "$status" 0 "8 MiB through cat: status 0"
check "8 MiB come back unchanged" cmp big out
is "$(cat "$errors")" "done" "standard error beside it"
rm -f big out

echo 'from the host' > in.txt
mkdir -p tree/sub && echo deep > tree/sub/file
run_exec --copy-in in.txt:/job/in.txt --copy-in tree --copy-out /job:result --copy-out /tree/sub/file --copy-out /job/link:followed \
    --copy-out /proc/version -- \
    sh -c 'cat /job/in.txt /tree/sub/file; echo made > /job/out.txt; ln -s out.txt /job/link'
is "$(cat out)" "$(printf 'from the host\ndeep')" "files go in"
is "$(cat result/out.txt)" made "files come out"
is "$(readlink result/link)" out.txt "links as links"
is "$(cat file)" deep "under their own name"
is "$(cat followed)" made "a link that was asked for is followed"
check "and is a file here" test ! -L followed
like version '^Linux version 6' "a file that does not say its size comes whole"
is "$status:$(cat "$errors")" 0: "and nothing is complained of"
run_exec --copy-out /missing:one --copy-out /dev/null:two --copy-out /job:rest --copy-out /big --copy-out-limit 1M -- \
    sh -c 'mkdir /job; mkfifo /job/pipe; echo made > /job/out.txt; head -c 2000000 /dev/zero > /big'
is "$status" 240 "files that cannot come: 240"
like "$errors" '^eret: --copy-out: /missing: No such file or directory$' "each is told"
like "$errors" '^eret: --copy-out: /dev/null: neither a file, a directory nor a link' "a device"
like "$errors" '^eret: --copy-out: /job/pipe: neither' "and a pipe within a directory"
like "$errors" '^eret: --copy-out: the guest sent more than the 1M that --copy-out-limit allows$' "and what is too much"
is "$(grep -c . "$errors")" 4 "once"
is "$(cat rest/out.txt)" made "the rest comes"
check "and no part of a file" test ! -e big

# Whoever reads our output has gone: the command learns it by SIGPIPE or, where it ignores that, by an error.
for ignored in '' 'trap "" PIPE; '; do
    new_guest
    {
        timeout 100 "$ERET" exec --kernel "$image" --append quiet -- \
            sh -c "${ignored}"'while echo line; do :; done 2> /dev/null; echo "nobody reads" >&2; exit 9' 2> "$errors" 3>&- < /dev/null
        echo "$?" > left
    } | head -n 1 > out
    is "$(cat out)" line "head -n 1 has its line"
    is "$(cat left):$(cat "$errors")" "$([ -z "$ignored" ] && echo 141: || echo '9:nobody reads')" "and the command its end${ignored:+, without SIGPIPE}"
done

# Readers that stand still: the command is not at fault, and the clocks go on.
mkfifo slow
(dd bs=1 count=1; sleep 9; cat) < slow > slow.txt 2> dd.log &
new_guest
"$ERET" exec --kernel "$image" --append quiet --timeout 5 -- sh -c 'head -c 4000000 /dev/zero; echo end' > slow 2> "$errors" 3>&- < /dev/null
is "$?" 0 "a reader that stands still for longer than --timeout: the command's own status"
wait $!
is "$(wc -c < slow.txt)" 4000004 "and all of its output"
like "$errors" 'standard output is not read: waiting' "and it is said who is waited for"
new_guest
# Nearly full before it starts, so that the boot's lines are more than it holds.
(i=0; until [ -s verbose.json ] || [ $i = 400 ]; do sleep 0.2; i=$((i + 1)); done; cp verbose.json verbose.copy; cat) < slow > verbose.txt &
reader=$!
head -c 61440 /dev/zero | tr '\000' x > slow
"$ERET" exec --kernel "$image" --append loglevel=8 --verbose --timeout 3 --result verbose.json -- sh -c 'while :; do :; done' 2> slow > out 3>&- < /dev/null &
pid=$!
finish_eret 100
wait "$reader"
is "$status" 245 "--verbose, and nobody reads it: the clocks go on"
check "the result was there meanwhile" grep -q '"outcome" : "timeout"' verbose.copy
check "there was more than a pipe holds" test "$(wc -c < verbose.txt)" -gt 65536
like verbose.txt 'did not end within 3 s' "the reason is there when somebody reads"

# Ctrl-C reaches the command; a second one ends the machine.
start_exec() {
    new_guest "$@"
    : > out # of the guest before
    "$ERET" exec --kernel "$image" --append quiet "$@" > out 2> "$errors" 3>&- < /dev/null &
    pid=$!
}
wait_out() {
    i=0
    until grep -q "$1" out || [ $i = 600 ]; do sleep 0.2; i=$((i + 1)); done
    like out "$1" "it says: $1"
}
start_exec --timeout 8 -- sh -c 'trap "echo caught; exit 3" INT; echo waiting; while :; do sleep 1; done'
wait_out waiting
kill -TSTP "$pid"
sleep 9 # longer than --timeout: a machine that is stopped has the time that it had
kill -CONT "$pid"
kill -INT "$pid"
finish_eret 60
is "$status" 3 "SIGINT reaches the command"
like out caught "which catches it"
start_exec -- sh -c 'trap "" INT; echo waiting; while :; do sleep 1; done'
wait_out waiting
kill -INT "$pid"
sleep 1
kill -INT "$pid"
finish_eret 60
is "$status" 4 "the second one ends the machine"

start_exec -- sh -c 'echo waiting; sleep 1000'
wait_out waiting
kill -KILL "$pid"
finish_eret 20
is "$status" 137 "kill -9 of eret ends it"

# kernel's console: kept apart, written on demand.
run_exec --console-log console.txt --append "loglevel=8" -- true
is "$status" 0 "with a console log: status 0"
like console.txt '^\[ *[0-9]+\.[0-9]+\] .*Linux version' "which has the kernel's first line, with the host's time"
is "$(cat out)" "" "and standard output nothing of it"

# Another root: a directory, an image.
mkdir -p root/bin root/etc
cp "$KERNELS/../bin/busybox" root/bin/ 2> /dev/null || cp /bin/busybox root/bin/
ln -s busybox root/bin/sh
echo of-a-directory > root/etc/hostname
run_exec --rootfs root --copy-in in.txt:/deep/in.txt -- sh -c 'read name < /etc/hostname; echo "$name"; read line < /deep/in.txt; echo "$line"; echo x > /proc/self/comm && echo proc'
is "$(cat out)" "$(printf 'of-a-directory\nfrom the host\nproc')" "a directory as root"
cp "$FIXTURES/root.ext4" root.img
run_exec --rootfs root.img --copy-in in.txt:/etc/in.txt -- \
    sh -c 'cat /etc/hostname /etc/in.txt; echo changed > /etc/hostname; touch /new; cat /etc/hostname'
is "$(cat out)" "$(printf 'eret-test\nfrom the host\nchanged')" "an image as root, with files laid over it"
check "the image is as it was" cmp "$FIXTURES/root.ext4" root.img
mkdir bare && cp "$image" bare/Image
image=bare/Image
run_exec --rootfs root.img -- true
is "$status" 247 "an image, and no modules: a driver is missing, 247"
image=$KERNELS/6.12/Image
head -c 4096 /dev/zero > nothing.img
run_exec --rootfs nothing.img -- true
is "$status" 240 "no file system: 240"
like "$errors" "nothing.img' is neither a directory nor an image" "which is said"

# A kernel with everything in modules, by either transport, on either console; and a new one.
image=$KERNELS/6.1/Image
for machine in '--transport pci --console pl011' '--transport mmio --console virtio --rng'; do
    # shellcheck disable=SC2086  # several words
    run_exec $machine -- uname -r
    is "$status:$(cat out)" "0:$(basename "$KERNELS"/6.1/lib/modules/*)" "Linux 6.1, $machine"
done
cp "$image" bare/Image
image=bare/Image
run_exec -- true
is "$status" 247 "without its modules: 247"
image=$KERNELS/7.3/Image
run_exec --modules "$(echo "$KERNELS"/7.3/lib/modules/*)" --module overlay --result result.json -- grep overlay /proc/filesystems
is "$status" 0 "Linux 7.3, with a module that was asked for"
check "the result has the boot's steps" grep -q '"kernel" : [0-9]' result.json
image=$KERNELS/6.12/Image
