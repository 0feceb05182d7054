# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# What a test script in tests/boot/, tests/guest/ or tests/long/ is written with (sourced, not run). Busybox sh in the emulated host,
# dash elsewhere.
#
# The runner (runner.sh) starts each script in a directory of its own, with
#
#   LIB       this file                          KIND      the kind of host: gicv3, gicv2 ..., or native
#   ERET      eret                               KERNELS   where 6.12/Image, 6.12/initrd and their like are
#   GUESTS    bare-metal guests                  FIXTURES  files made for the tests: tests/host/fixtures.sh
#   SUITES    suites for eret test               SELFTESTS the kernel's own tests: guest-images/selftests.sh
#   VSOCK_TESTS  the kernel's tests of vsock: guest-images/vsock-tests.sh
#   DEBIAN_ROOT  a root of Debian 13's, and OpenSSH's programs: guest-images/debian-root.sh
#   DEBIAN_DISK  a disk with Debian 13, GRUB and all: guest-images/debian-disk.sh
#   DEBIAN_TOOLS  a root of Debian 13's with git, make, gcc, stress-ng: guest-images/debian-tools.sh
#   DEBIAN_CLOUD  12/cloud.img and 13/cloud.img, disks with Debian as its cloud images are: guest-images/debian-cloud.sh
#   FIRMWARE  Debian's firmware, for tests called firmware* and `cloud`: guest-images/fetch.sh
#   LIBRARIES sums of the libraries that eret is to use in place of those that it is built against: host-libraries.sh
#   NET_TOOLS Debian's iperf3 and ethtool, with their libraries: guest-images/fetch-program.sh
#   SANITIZER asan or tsan where eret has it, and FAULTS: eret with something to find, tests/sanitized/faults.c
#   SLOWER    how many times longer all may take with it
#   TEST      the script's name, for each line that it says
#
# A script begins with `. "$LIB"`. In its head, a line `# serial` keeps other tests from running beside it, `# limit:
# SECONDS` (300) says when it counts as hung, `# root` has it skipped without root, and `# breaks out` says that its
# machines ask for system calls that they may not make.
#
#   is GOT WANTED NAME             isnt GOT UNWANTED NAME
#   like FILE REGEX NAME           unlike FILE REGEX NAME
#   check NAME COMMAND...          passes when the command succeeds
#   skip NAME REASON               skip_all REASON
#
#   run_eret [--timeout S] OPTION...        eret run OPTION..., until it ends; killed after S seconds ($run_limit,
#                                           200)
#   start_eret OPTION...                    the same in the background
#   boot TEST[,ARGUMENT]... OPTION...       run_eret, with Debian's kernel ($kernel, 6.12) and a task for its initramfs
#   start_boot TEST[,ARGUMENT]... OPTION...
#   wait_console REGEX SECONDS              fails a test, and returns 1, when it does not come
#   lines REGEX N SECONDS                   until the console has N lines like it; says nothing
#   send TEXT                               types it on the console (\n is Enter)
#   run_exec OPTION... -- COMMAND...        eret exec with the kernel $image (6.12's), until it ends; killed after
#                                           $exec_limit seconds (200). The command's streams are in out and $errors, its
#                                           input is $input (nothing)
#   finish_eret SECONDS                     waits for the end; killed after so many seconds
#   guest KEY                               the value of the guest's last line "GUEST KEY=value"
#   no_warnings NAME                        the guest, which has looked, found no warning of its kernel, or which
#   short_runtime_directory                 $XDG_RUNTIME_DIR for machines with names: a socket's path has 107 bytes at
#                                           most, which a long test's name leaves no room in
#
# $patience (300) is how many seconds a step may take before it counts as hung, whatever the host, and whatever else runs
# on the machine. After these, $console and $errors are files with what the guest and eret wrote, $pid is eret's, and $status its exit
# status ("timeout" if it had to be killed). A failing assertion shows the last lines of both, once a guest.
#
# How it works. An assertion does not end a script: it says its result, and the script goes on, so that one run shows
# all that is wrong. Where the rest makes no sense without it, write `|| exit`. Results go to descriptor 3, which the
# runner reads; standard output and error go to the script's log, so that no command can say `ok` by accident. eret gets
# no descriptor 3. A result is one write, as several tests write at a time.
#
# What a guest does is asked of the guest: the test initramfs (guest-images/initramfs/) does what `eret.test=` on its
# command line names, and prints `GUEST KEY=value`. Assert these, exit statuses and counts; never how long something
# took, as an emulated host is a hundred times slower than silicon, and slower still beside another test.
#
# State is in variables ($started counts the guests) and, for each guest, in console.N and errors.N in the script's
# directory; `keyboard` is the FIFO that start_eret's guest reads.
#
# When an assertion fails, read its two comments first, and then the last lines of guest and eret below them. A guest
# that says nothing: take `quiet` away in linux(). A script's own mistake is in its log, which is
# shown when the status is above 1.

exec 3>&1 1>&2  # what the runner reads is 3; all else goes to the script's log
kernel=6.12
image=$KERNELS/6.12/Image
input=/dev/null
# shellcheck disable=SC2034  # for the scripts
patience=300
run_limit=200
exec_limit=200
started=0
pid=
console=/dev/null
errors=/dev/null
shown=1

# One line is one write, so that tests at a time do not mix theirs.
say() { printf '%s|%s\n' "$TEST" "$*" >&3; }

# comment_file TITLE FILE
comment_file() {
    [ -s "$2" ] || return 0
    say "# --- $1"
    tail -n 30 "$2" | tr -cd '\t\n -~' | cut -c 1-300 | while IFS= read -r line; do
        say "#   $line"
    done
}

# The diagnosis precedes its result on the way to run-tests.sh, which turns them round.
failed() {
    name=$1
    shift
    for line; do
        say "# $line"
    done
    if [ "$shown" = 0 ]; then
        shown=1
        say "# eret run $arguments: ${status:-still running}"
        comment_file "the guest's last lines" "$console"
        comment_file "eret's stderr" "$errors"
    fi
    say "not ok $name"
    return 1
}
passed() { say "ok $1"; }

is() { if [ "$1" = "$2" ]; then passed "$3"; else failed "$3" "got:    $1" "wanted: $2"; fi; }
isnt() { if [ "$1" != "$2" ]; then passed "$3"; else failed "$3" "got, and did not want: $1"; fi; }
like() { if grep -qE -e "$2" "$1"; then passed "$3"; else failed "$3" "nothing in $1 is like: $2"; fi; }
unlike() { if ! grep -qE -e "$2" "$1"; then passed "$3"; else failed "$3" "$(grep -m 1 -E -e "$2" "$1")" "is like: $2"; fi; }
check() {
    name=$1
    shift
    if "$@"; then passed "$name"; else failed "$name" "this failed: $*"; fi
}
skip() { say "ok $1 # SKIP $2"; }
skip_all() {
    say "skip $*"
    exit 0
}

# --- guests -----------------------------------------------------------------------------------------------------------

new_guest() {
    started=$((started + 1))
    console=console.$started
    errors=errors.$started
    : > "$console"
    : > "$errors"
    shown=0
    status=
    arguments=$*
}

run_eret() {
    limit=$run_limit
    if [ "$1" = --timeout ]; then
        limit=$2
        shift 2
    fi
    new_guest "$@"
    # shellcheck disable=SC2086  # $as: a command in front
    ${as-} "$ERET" run "$@" < /dev/null > "$console" 2> "$errors" 3>&- &
    pid=$!
    finish_eret "$limit"
}

start_eret() {
    new_guest "$@"
    rm -f keyboard
    mkfifo keyboard
    exec 4<> keyboard  # held open: the guest never sees an end of its input
    "$ERET" run "$@" < keyboard > "$console" 2> "$errors" 3>&- 4>&- &
    pid=$!
}

linux() {
    todo=$1 start=$2
    shift 2
    "$start" --kernel "$KERNELS/$kernel/Image" --initrd "$KERNELS/$kernel/initrd" --append "quiet eret.mode=test eret.test=$todo" "$@"
}
boot() { todo=$1; shift; linux "$todo" run_eret "$@"; }
start_boot() { todo=$1; shift; linux "$todo" start_eret "$@"; }

run_exec() {
    new_guest "$@"
    "$ERET" exec --kernel "$image" --append quiet "$@" > out 2> "$errors" 3>&- < "$input" &
    pid=$!
    finish_eret "$exec_limit"
}

finish_eret() {
    rm -f killed
    (
        sleep $(($1 * ${SLOWER:-1}))
        : > killed
        kill -KILL "$pid"
    ) > /dev/null 2>&1 3>&- &
    watchdog=$!
    wait "$pid"
    status=$?
    kill "$watchdog" 2> /dev/null
    wait "$watchdog"
    pid=
    [ ! -e killed ] || status=timeout
}

# Programs that work for eret's machine: its children, and those of the process of its that starts them again.
helpers() {
    # shellcheck disable=SC2013  # words
    for process in $(cat "/proc/${1:-$pid}/task/${1:-$pid}/children"); do
        if [ "$(cat "/proc/$process/comm")" = eret-broker ]; then helpers "$process"; else echo "$process"; fi
    done
}

# running PID: whether it has not ended (a process that waits for its parent has).
running() {
    read -r line 2>/dev/null < "/proc/$1/stat" || return 1
    case $line in *") Z "*) return 1 ;; esac
}

wait_console() {
    deadline=$(($(date +%s) + $2 * ${SLOWER:-1}))
    until grep -qE -e "$1" "$console"; do
        if ! running "$pid" && ! grep -qE -e "$1" "$console"; then
            failed "the console shows: $1" "eret ended before that"
            return 1
        fi
        if [ "$(date +%s)" -ge "$deadline" ]; then
            failed "the console shows: $1" "not within $2 seconds"
            return 1
        fi
        sleep 0.2
    done
}

lines() {
    deadline=$(($(date +%s) + $3 * ${SLOWER:-1}))
    until [ "$(grep -c -e "$1" "$console")" -ge "$2" ]; do
        [ "$(date +%s)" -lt "$deadline" ] && running "$pid" || return 1
        sleep 0.2
    done
}

# shellcheck disable=SC2059  # the escapes in it are meant
send() { printf "$1" > keyboard; }

guest() { tr -d '\r' < "$console" | sed -n "s/^.*GUEST $1=//p" | tail -n 1; }

# The list, with the number at its end, so that one that is not there is none that is empty; a guest may look twice.
no_warnings() { is "$(tr -d '\r' < "$console" | sed -n 's/^.*GUEST warning\(: \|s=\)//p' | sort -u)" 0 "$1"; }

short_runtime_directory() {
    short_directory=$(mktemp -d /tmp/run.XXXXXX)
    XDG_RUNTIME_DIR=$short_directory
    export XDG_RUNTIME_DIR
}

# The GIC that guests get on this kind of host.
expected_gic() {
    case $KIND in
    gicv2 | k73-gicv2) echo GICv2 ;;
    native) guest gic ;;
    *) echo GICv3 ;;
    esac
}

# Shows whatever is still wrong when a script gives up: . || exit
clean_up() {
    [ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null
    [ -z "${short_directory-}" ] || rm -rf "$short_directory"
}
trap clean_up EXIT
