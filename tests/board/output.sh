#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What eret writes, and where: output that cannot be written, closed standard streams, files that are no regular ones. Needs no KVM.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
eret=$PWD/${ERET_NATIVE:-build/native/eret}
[ -x "$eret" ] || make -s build/native/eret >&2 || exit 1
cd "$work" || exit 1
evidence=messages

# says TEXT NAME: the messages have it.
says() {
    grep -qF -e "$1" messages
    result $? "$2"
}

printf '[defaults]\nkernel = s.ini\n[a]\ncommand = true\n' > s.ini
echo '{"registers": {}}' > t.json

# lost WORDS...: a command that prints.
lost() {
    "$eret" "$@" > /dev/full 2> messages
    is $? 1 "$*: to a full disk: status 1"
    says 'eret: cannot write standard output' "$*: and it is said"
    "$eret" "$@" 2> messages >&-
    is $? 1 "$*: to a closed standard output: status 1"
    says 'eret: cannot write standard output' "$*: and it is said"
}
lost --help
# once WHERE WORDS...: why it was lost is said, and not a second time.
once() {
    where=$1
    shift
    "$eret" "$@" > /dev/full 2> messages
    is "$(cat messages)" "eret: ${where}cannot write standard output: No space left on device" "$*: once, with the reason"
}
once '' version
once '' run --help
once '' run --dry-run
once '--dump-fdt: ' run --dump-fdt -
once '--dump-acpi: ' run --dump-acpi - --tables acpi
lost version
lost run --help
lost run --dry-run
lost exec --help
lost test --help
lost test --list s.ini
lost trace --help
lost cpu --help
lost doctor --help
lost cpu diff t.json t.json --common -

# Commands that take no arguments, or one: what is too much is told, and nothing is done.
# few STATUS TEXT WORDS...
few() {
    status=$1 text=$2
    shift 2
    "$eret" "$@" > out 2> messages
    is $? "$status" "$*: status $status"
    if [ "$status" = 0 ]; then
        like out "$text" "$*: $text"
        is "$(cat messages)" "" "$*: and no message"
    else
        says "$text" "$*: $text"
        is "$(cat out)" "" "$*: and no output"
    fi
}
few 2 "eret: unexpected argument 'x'" version x
few 2 "eret: unexpected argument 'x'" --version x
few 2 "eret: unknown option --frobnicate" version --frobnicate
few 2 "Try 'eret version --help'." version x
few 0 '^Usage: eret version' version --help
few 0 '^Usage: eret version' help version
few 0 '^eret [0-9]' version
few 0 '^Usage: eret COMMAND' help
few 0 '^Usage: eret COMMAND' help --help
few 0 '^Usage: eret COMMAND' help help
few 0 '^Usage: eret COMMAND' --help
few 0 '^Usage: eret exec' help exec
few 0 '^Usage: eret exec' --help exec
few 0 '^Usage: eret exec' help exec --help
few 2 "eret: unexpected argument 'dump'" help cpu dump
few 2 "eret: 'nothing' is no command of eret; 'eret help' lists them" help nothing
few 2 "eret: 'nothing' is no command of eret; 'eret help' lists them" nothing
for command in ps doctor; do
    few 2 "eret: unexpected argument 'x'" "$command" x
done
few 2 "eret: unexpected argument 'c'" cpu diff a b c
few 2 "eret: unexpected argument 'x'" cpu dump x

# What a machine's user may wonder about is told, and is no mistake.
truncate -s 1M firmware
"$eret" run --dry-run --firmware firmware --tables both --watchdog > out 2> messages
is $? 0 "a watchdog behind UEFI with ACPI: status 0"
says 'eret: --watchdog: only the device tree tells of this, and UEFI hands on ACPI alone' "and what its kernel will not see"
"$eret" run --dry-run --firmware firmware --watchdog > out 2> messages
is "$(cat messages)" "" "with the tables that are taken for it: nothing"

# How much of memory is taken, little and less than a KiB.
printf 'flat' > flat
printf 'module' > module
truncate -s 1536 larger
"$eret" run --dry-run --kernel flat --kernel-format raw --boot-module module --boot-module larger > messages 2>&1
says 'module module, 6 bytes' "a plan: a module of some bytes"
says 'module larger, 1 KiB' "a larger one"

"$eret" run --dry-run 2> messages < /dev/null | true
is "$(cat messages)" "" "a reader that has gone ends it without a word, as with other programs"

# Few descriptors: GLib would end the process where a main loop finds none, so each command asks first.
unable() { # STATUS FILES WORDS...
    status=$1 files=$2
    shift 2
    prlimit --nofile="$files" "$eret" "$@" > out 2> messages < /dev/null
    is "$?:$(cat out)" "$status:" "$*: with $files open files: status $status, and nothing printed"
    says "more open files are needed" "$*: and it is said"
    says "the limit (RLIMIT_NOFILE) is $files and has to be" "$*: with the limit"
}
for files in 5 8 12 34; do
    unable 1 "$files" doctor
    unable 1 "$files" run --dry-run
    unable 240 "$files" exec --kernel s.ini -- true
    unable 1 "$files" test s.ini
    unable 1 "$files" trace summary --input t.json
    unable 1 "$files" cpu diff t.json t.json
done
prlimit --nofile=20 "$eret" run --dry-run --rng > out 2> messages
enough=$(sed -n 's/.* has to be \([0-9]*\):.*/\1/p' messages)
prlimit --nofile="${enough:-1}" "$eret" run --dry-run --rng > out 2> messages
is $? 0 "run --dry-run: the limit that was said to be needed, ${enough:-none}, is enough"
"$eret" run --dry-run > plan 2> messages
prlimit --nofile=12: "$eret" run --dry-run > out 2> messages
is "$?:$(cat out)" "0:$(cat plan)" "a soft limit is raised to the hard one"
i=0
set --
while [ $i -lt 20 ]; do
    i=$((i + 1))
    truncate -s 1M many$i.img
    set -- "$@" --disk many$i.img
done
unable 1 80 run --dry-run "$@"
unable 1 80 run --dry-run --transport mmio "$@"
unable 1 80 run --dry-run --cpus 512

# A file in memory is one of those that may not grow.
prlimit --fsize=1024 "$eret" run --dry-run > out 2> messages
is "$?:$(cat out)" 1: "files may not be large: status 1"
says 'eret: cannot make the PCI configuration space: File too large' "and it is said why"

# A file of eret's own in the place of a closed stream: the plan would be written into the disk's image, and so would a message.
truncate -s 1M disk.img
cp disk.img zeros.img
"$eret" run --dry-run --disk disk.img --dump-fdt tree.dtb <&- >&- 2>&-
is $? 1 "all three closed: the plan could not be printed, status 1"
cmp disk.img zeros.img 2> messages
result $? "the disk's image is as it was"
is "$(head -c 4 tree.dtb | od -An -tx1 | tr -d ' ')" d00dfeed "the device tree is one"
"$eret" run --dry-run --disk disk.img --cpus none <&- >&- 2>&-
is $? 2 "all three closed: a mistake is still one"
cmp disk.img zeros.img 2> messages
result $? "the disk's image is as it was"
echo '{ "cpus": 2 }' | "$eret" run --dry-run --config /dev/stdin > plan 2> messages
is $? 0 "a description may come from standard input"
"$eret" run --dry-run --config /dev/stdin > plan 2> messages <&-
is $? 2 "a closed one is empty"
says 'a JSON object is wanted' "and it is said"

# A file that an option names: OPTIONS has @ in its place, and STATUS is what it all ends with when the file could be written.
echo '{"version": 1, "cases": [{"suite": "s", "name": "a", "kind": "passed"}]}' > r.json
writes() { # STATUS OPTIONS...
    status=$1
    shift
    name=$*
    put() { # FILE: leaves $got
        # shellcheck disable=SC2046  # words
        set -- "$1" $(echo "$name" | sed "s|@|$1|")
        shift
        "$eret" "$@" > out 2> messages < /dev/null
        got=$?
    }
    rm -rf file link fifo gone
    ln -s file link
    put link
    is $got "$status" "$name: through a link that leads nowhere yet"
    cp file whole
    echo old > file
    put link
    is "$got:$(readlink link)" "$status:file" "$name: through a link, which stays"
    is "$(stat -c %s file)" "$(stat -c %s whole)" "$name: the file behind it is the new one"
    mkfifo fifo
    cat fifo > came &
    put fifo
    wait $!
    is "$got:$(stat -c %s came)" "$status:$(stat -c %s whole)" "$name: into a FIFO"
    is "$(stat -c %F fifo)" fifo "$name: which stays one"
    ln -sf /dev/full link
    put link
    is "$got" "$([ "$status" = 0 ] && echo 1 || echo "${full:-$status}")" "$name: to a device that is full: it fails"
    says 'No space left on device' "$name: and it is said"
    is "$(readlink link)" /dev/full "$name: the device stays"
    put gone/file
    is "$got" "${unwritable:-1}" "$name: where there is no directory: it fails"
    says "cannot write 'gone/file': No such file or directory" "$name: and it is said"
    is "$(cat out)" "${printed:-}" "$name: before anything else is"
    put /dev/fd/1
    is "$got:$(grep -c . out | sed 's/^[1-9].*/some/')" "$status:some" "$name: as a descriptor"
}
kernel=$(dirname "$eret")/../kernels/6.12/Image
busybox=$(dirname "$eret")/../busybox/busybox
printed=$("$eret" run --dry-run)
writes 0 run --dry-run --dump-fdt @
printed=
writes 0 run --dump-fdt @
printed=$("$eret" cpu diff t.json t.json)
writes 0 cpu diff t.json t.json --common @
printed=
writes 0 test merge r.json --json @
writes 0 test merge r.json --junit @
"$eret" run --dry-run --dump-fdt - > tree.dtb 2> plan
is "$?:$(head -c 4 tree.dtb | od -An -tx1 | tr -d ' ')" 0:d00dfeed "--dump-fdt -: standard output, and nothing else there"
is "$(cat plan)" "$("$eret" run --dry-run)" "the plan is on standard error"
"$eret" run --dump-acpi - > tables 2> messages
is "$?:$(head -n 1 tables | cut -c 1-6)" '0:RSDP @' "--dump-acpi -: the tables, as text"
"$eret" run --dump-fdt - --dump-acpi /dev/stdout > out 2> messages
is $? 2 "two of them for standard output: status 2"
says 'one of --dump-fdt and --dump-acpi can go to standard output, not both' "and it is said"
"$eret" test merge --tap --json - r.json > out 2> messages
is $? 2 "two reports for standard output: status 2"
says 'only one of them can go to standard output' "and it is said"

# Names and texts that would move a terminal's cursor, or pass for a message of eret's: they are shown escaped, in one line.
nasty=$(printf 'a\neret \033[2Jb')
shown='a\u000aeret \u001b[2Jb'
escaped() { # NAME WORDS...
    name=$1
    shift
    "$eret" "$@" > out 2> messages < /dev/null
    cat out >> messages
    says "$shown" "$name: the name is shown escaped"
    ! grep -q "^eret \|$(printf '\033')" messages
    result $? "$name: and makes no line"
}
cp disk.img "$nasty"

printf '{"disk": ["%s"]}' 'x\neret \u001b[2Jb' > nasty.json
escaped 'a disk in a plan' run --dry-run --disk "$nasty"
escaped 'a command line in a plan' run --dry-run --append "$nasty"
escaped 'a kernel' run --kernel "$nasty/x"
escaped 'a disk' run --dry-run --disk "$nasty/x"
escaped 'an output' run --dry-run --dump-fdt "$nasty/x"
escaped 'a number' run --dry-run --cpus "$nasty"
escaped 'a flag' run --dry-run "--$nasty"
escaped 'a rule' run --dry-run --smccc "$nasty"
escaped 'a service' run --dry-run --hypercall "$nasty"
escaped 'a description' run --dry-run --config "$nasty"
escaped 'a CPU template' run --dry-run --cpu-template "$nasty"
escaped 'a CPU template that is not there' cpu diff "$nasty/x" t.json
escaped 'a command of eret' "$nasty"
escaped 'a root' exec --kernel s.ini --rootfs "$nasty/x" -- true
escaped 'a result' exec --kernel s.ini --rootfs "$nasty" --result "$nasty/x" -- true
escaped 'a file that goes in' exec --kernel s.ini --rootfs . --copy-in "$nasty/x" -- true
escaped 'a suite' test "$nasty"
escaped 'a suite that is not there' test "$nasty/x"
escaped 'a report' test s.ini --junit "$nasty/x"
escaped 'a filter' test s.ini --filter "$nasty"
escaped 'results' test merge "$nasty"
escaped 'a recording' trace "$nasty"
escaped 'a picture' trace r.json --html "$nasty/x"
"$eret" run --dry-run --config nasty.json 2> messages
says "'x\\u000aeret \\u001b[2Jb'" "a name in a description: escaped"
rm "$nasty"

# A plan of what eret exec would run. Any file is a kernel if it is a flat binary.
mkdir root
cp s.ini flat
echo '{"rng": true}' > vm-without-kernel.json
exec_plan() {
    "$eret" exec --kernel flat --kernel-format raw --rootfs root "$@" -- true > out 2> messages < /dev/null
    got=$?
}
exec_plan --dry-run --dump-fdt exec.dtb
is $got 0 "exec --dry-run: status 0"
grep -q '^  PCI 00:01.0 *virtio-ports' out
result $? "exec --dry-run: the device of the command's streams is in the plan"
grep -q '^bootargs .*panic=-1' out
result $? "exec --dry-run: so is the kernel's command line that exec makes"
grep -q 'initrd, [1-9]' out
result $? "exec --dry-run: and the initramfs"
is "$(head -c 4 exec.dtb | od -An -tx1 | tr -d ' ')" d00dfeed "exec --dump-fdt: a device tree"
exec_plan --dry-run --result result.json --console-log console.log
is "$got:$(ls result.json console.log 2> /dev/null)" 0: "exec --dry-run: nothing was run, and there is no result of it"
exec_plan --dry-run --dump-fdt gone/file
is $got 240 "exec --dump-fdt: where there is no directory: status 240"
says "eret: --dump-fdt: cannot write 'gone/file': No such file or directory" "exec --dump-fdt: and it is said"
"$eret" exec --kernel flat --kernel-format raw --initrd s.ini --dry-run > out 2> messages
is "$?:$(grep -c ports out)" 0:0 "exec --dry-run of a guest of the user's own"
"$eret" exec --config vm-without-kernel.json --dry-run -- true > out 2> messages
is $? 2 "exec --dry-run without a kernel: status 2"
says 'eret: no kernel given: add --kernel FILE' "exec --dry-run without a kernel: it is said"

# An output that is an input of the same run: nothing starts, and nothing is written.
mkdir inputs
cd inputs || exit 1
{ echo "{}"; head -c 4096 /dev/zero; } > disk.img
cp disk.img image
cp disk.img initrd
cp ../t.json ../r.json .
echo '{}' > vm.json
echo input > word
printf '[a]\nkernel = image\nstdin-file = word\ncommand = true\n' > one.ini
sed 's/\[a\]/# which one\n\n[b]/' one.ini > two.ini
ln image hard
ln -s image symbolic
mkdir directory
kept() { # OPTION OTHER WORDS...: OPTION's file is that of OTHER
    option=$1 other=$2
    shift 2
    sums=$(md5sum -- *.* image initrd word)
    "$eret" "$@" > out 2> messages < /dev/null
    is $? 2 "$*: status 2"
    is "$(md5sum -- *.* image initrd word)" "$sums" "$*: every file is as it was"
    grep -q "^eret: $option: .* is also the file of $other\( (.*)\)\?, which would be overwritten: name another file\$" messages
    result $? "$*: it is said of which options"
}
kept --dump-fdt "--disk disk.img" run --dry-run --disk disk.img --dump-fdt disk.img
kept --dump-fdt --kernel run --dry-run --kernel image --dump-fdt image
kept --dump-fdt --kernel run --dry-run --kernel image --dump-fdt hard
kept --stats --kernel run --kernel symbolic --stats=image
kept --record --initrd run --kernel image --initrd initrd --record ./initrd
kept --dump-fdt --config run --dry-run --config vm.json --dump-fdt ../inputs/vm.json
kept --dump-acpi --kernel run --dry-run --kernel image --dump-acpi image
kept --dump-fdt --cpu-template run --dry-run --cpu-template t.json --dump-fdt t.json
kept --result --kernel exec --kernel image --result image -- true
kept --console-log --kernel exec --kernel image --console-log image -- true
kept --console-log --copy-in exec --kernel image --copy-in word --console-log word -- true
kept --common 'the first template' cpu diff t.json vm.json --common t.json
kept --output --cpu-template cpu dump --cpu-template t.json -o t.json
kept --json 'a suite' test --json one.ini one.ini
kept --junit 'a suite' test --junit=two.ini one.ini two.ini
kept --json "one.ini: \\[a\\] --kernel" test --json image one.ini
kept --junit "one.ini: \\[a\\] stdin-file" test --junit word one.ini
kept --json 'a result to merge' test merge --json r.json r.json
kept --chrome 'the recording' trace word --chrome word
kept --html 'the recording' trace word --html ./word
kept --html --symbols trace r.json --symbols word --html word
# shellcheck disable=SC2094  # which is what must not be
"$eret" exec --kernel image --result word -- true 2> messages < word
says "'word' is also the file of standard input" "standard input is an input"
is "$(cat word)" input "and stays"
"$eret" test --junit ./*.ini 2> messages
is $? 2 "--junit *.ini: status 2"
says "eret: --junit: './one.ini' is a suite, which would be overwritten" "--junit *.ini: the first suite is not the file of the report"
[ "$(head -n 1 one.ini)" = '[a]' ]
result $? "--junit *.ini: it is as it was"

twice() { # OPTION OTHER WORDS...: two outputs to one file, that is not there
    option=$1 other=$2
    shift 2
    "$eret" "$@" > out 2> messages < /dev/null
    is $? 2 "$*: status 2"
    grep -q "^eret: $option: .* is also the file of $other\( (.*)\)\?: name another file\$" messages
    result $? "$*: it is said of which options"
    [ ! -e both ]
    result $? "$*: nothing is written"
}
twice --json --junit test --junit both --json both one.ini
twice --json --junit test merge --junit both --json ./both r.json
twice --record --stats run --kernel image --stats=both --record both
twice --result --console-log exec --kernel image --console-log both --result ../inputs/both -- true
twice --html --chrome trace r.json --chrome both --html both
cd .. || exit 1

# Where there is no KVM every case is skipped, and no command runs: the reports are written all the same.
if [ "$(uname -m)" != aarch64 ]; then
    lost test --tap s.ini
    lost test s.ini
    lost doctor
    full=1
    writes 77 test s.ini --junit @
    writes 77 test s.ini --json @
    mkdir names
    XDG_RUNTIME_DIR=$PWD/names "$eret" run --kernel s.ini --name web > out 2> messages < /dev/null
    is "$?:$(ls -A names)" 77: "run --name: nothing is left of a machine that could not be"
fi
if [ "$(uname -m)" != aarch64 ] && [ -e "$kernel" ] && [ -e "$busybox" ]; then
    unwritable=240 full=240
    writes 77 exec --kernel "$kernel" --busybox "$busybox" --result @ -- true
fi
plan
