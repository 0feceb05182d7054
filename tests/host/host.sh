#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# An emulated ARM64 host with KVM: QEMU's software emulation of a machine with EL2, and a Debian kernel on it whose /dev/kvm is the
# real one. Runs a command there, with eret beside it.
#
# Usage: host.sh build KIND
#        host.sh run [--kind KIND] [--timeout SECONDS] [--interactive] [--share FILE[:PATH]]... -- COMMAND...
#        host.sh kinds
#
# run: boots the host, runs COMMAND in it (busybox sh; the arguments are passed as they are), passes its output through as it comes, and
# returns its exit status. Seen from COMMAND:
#
#   /kernels/KERNEL/{Image,initrd}   the guest kernels and their initramfs
#   /share/eret                      build/arm64/eret, when it is built; with ERET_BUILD=DIR build/DIR/eret
#   /share/lib                       the libraries it needs
#   /share/PATH                      what --share names (PATH: by default the file's own name); directories go whole
#   /tmp                             scratch, in memory
#
# --interactive connects the terminal straight through: the command gets a terminal of its own in the host, every key goes there.
# ERET_LIBRARIES=debian-13 in the environment: /share/lib has Debian 13's libraries and loader, whatever this machine's are.
# --timeout: the host is ended after so many seconds, exit status 124 (default: 1500; none with --interactive).
# Exit status 125: the host itself failed (it could not start, crashed, or ended without a status); its last lines are shown.
#
# The host's own console is written to build/host/KIND/console.log (console-interactive.log). One host runs at a time, the next waits;
# interactive ones do not count.
set -eu
umask 022
PATH=$PATH:/usr/sbin:/sbin  # mke2fs, where users of the machine have no such directories in theirs

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
build=$root/build
host_failed=125

# KIND | kernel | machine | cpu | more kernel command line | other CPUs than two that run at once
# gicv2 and the nvhe ones are without the Virtualization Host Extensions; nvhe-40 has 40 bits of guest physical address; max has all that the emulator knows.
# On `exact` time is what is executed, a nanosecond for each instruction of the one CPU: slow, but the same every time.
# The fast CPU is `max` without the features that cost the emulator time.
fast="max,pauth=off,sve=off,sme=off,lpa2=off"
kinds() {
    cat <<EOF
gicv3|6.12|gic-version=3|$fast|
exact|6.12|gic-version=3|$fast||-smp 1 -accel tcg,thread=single -icount shift=0,sleep=off
gicv2|6.12|gic-version=2|cortex-a72|
nvhe|6.12|gic-version=3|cortex-a72|
nvhe-40|6.12|gic-version=3|cortex-a53|
max|6.12|gic-version=3|max,pauth-impdef=on|
k61|6.1|gic-version=3|$fast|
k73|7.3|gic-version=3|$fast|
k73-gicv2|7.3|gic-version=2|cortex-a72|
k73-nested|7.3|gic-version=3|$fast|kvm-arm.mode=nested
k73-cpu|7.3|gic-version=3,mte=on|max,pauth-impdef=on,sme=off,lpa2=off,sve-max-vq=4|
k73-16k|7.3-16k|gic-version=3|$fast|
el1|6.12|gic-version=3,virtualization=off|$fast|
k73-gicv2-nested|7.3|gic-version=2|$fast|kvm-arm.mode=nested
EOF
}

fail() { echo "host.sh: $*" >&2; exit "$host_failed"; }
usage() { sed -n 's/^# \(Usage: \|       \)host.sh/host.sh/p' "$0"; }

set_kind() {
    kind=$1
    line=$(kinds | grep "^$1|") || fail "unknown kind of host: $1; known: $(kinds | cut -d'|' -f1 | tr '\n' ' ')"
    IFS='|' read -r _ kernel machine cpu append cpus <<EOF
$line
EOF
    dir=$build/host/$kind
}

# newer OUT INPUT...: whether OUT is missing or one of the inputs (directories: anything below) is newer.
newer() {
    [ -e "$1" ] || return 0
    [ -n "$(find "${@:2}" -newer "$1" -print -quit)" ]
}

# ext4_image TREE OUT: a file system with what is in TREE, just large enough.
ext4_image() {
    local mib
    mib=$(($(du -sm --apparent-size "$1" | cut -f1) * 11 / 10 + 16))
    truncate -s "${mib}M" "$2"
    mke2fs -q -F -t ext4 -O ^has_journal -m 0 -E root_owner=0:0 -d "$1" "$2"
}

# --- what the host is made of --------------------------------------------------------------------------------------------------

build_initrd() {
    "$root/guest-images/fetch.sh" "$kernel"
    newer "$dir/initrd" "$here/init" "$here/host.sh" "$root/guest-images/applets" "$build/kernels/$kernel/modules" || return 0
    mkdir -p "$dir"
    local tree=$work/initrd
    mkdir -p "$tree"/{bin,proc,sys,dev,run,tmp,mnt,kernels,share}
    cp "$build/busybox/busybox" "$tree/bin/"
    local applet
    while read -r applet; do
        ln -s busybox "$tree/bin/$applet"
    done < "$root/guest-images/applets"
    cp "$here/init" "$tree/init"
    chmod 755 "$tree/init"
    cp -r "$build/kernels/$kernel/modules" "$tree/modules"
    (cd "$tree" && find . | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0) > "$work/initrd.cpio"
    mv "$work/initrd.cpio" "$dir/initrd"
}

# All kernels that have been fetched, for every kind of host alike.
build_kernels_disk() {
    local out=$build/host/kernels.ext4 tree=$work/kernels k
    local -a inputs=()
    for k in "$build"/kernels/*/; do
        "$root/guest-images/build-initramfs.sh" "$(basename "$k")"
        inputs+=("$k/Image" "$k/initrd" "$k")
    done
    newer "$out" "${inputs[@]}" || return 0
    for k in "$build"/kernels/*/; do
        mkdir -p "$tree/$(basename "$k")"
        cp -rl "$k/Image" "$k/initrd" "$k/lib" "$tree/$(basename "$k")/" 2>/dev/null || cp -r "$k/Image" "$k/initrd" "$k/lib" "$tree/$(basename "$k")/"
    done
    ext4_image "$tree" "$work/kernels.ext4"
    mv "$work/kernels.ext4" "$out"
}

# Those that eret itself loads: vmm/lazy/.
lazy_libraries() { readelf -p .lazy_libraries "$1" 2>/dev/null | sed -n 's/^ *\[ *[0-9a-f]*\] *//p'; }

# Where libraries for arm64 are: this machine's, or those of another release of Debian's, and none besides.
find_libraries() {
    case ${ERET_LIBRARIES-} in
    '') library_directories=(/usr/lib/aarch64-linux-gnu /lib/aarch64-linux-gnu /usr/aarch64-linux-gnu/lib) ;;
    debian-13)
        "$root/guest-images/host-libraries.sh" 13 "$build/libraries/debian-13" || fail "Debian 13's libraries cannot be had"
        library_directories=("$build/libraries/debian-13/lib")
        ;;
    *) fail "ERET_LIBRARIES: no libraries of $ERET_LIBRARIES are known; known: debian-13" ;;
    esac
}

# needed_libraries FILE: the paths of the libraries an ARM64 program needs, and theirs, and the loader.
declare -A seen
needed_libraries() {
    local name path directory
    while read -r name; do
        [ -z "${seen[$name]-}" ] || continue
        seen[$name]=1
        for directory in "${library_directories[@]}"; do
            path=$directory/$name
            [ ! -e "$path" ] || break
        done
        [ -e "$path" ] || fail "$1 needs $name, which is not installed for arm64${ERET_LIBRARIES:+, or no library of $ERET_LIBRARIES}"
        echo "$path"
        needed_libraries "$path"
    done < <(readelf -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'; lazy_libraries "$1"; readelf -l "$1" | sed -n 's,.*program interpreter: .*/\(.*\)\],\1,p')
}

is_arm64_program() { readelf -h "$1" 2>/dev/null | grep -q 'Machine:.*AArch64'; }

add_libraries() {
    is_arm64_program "$1" || return 0
    local path
    mkdir -p "$2/lib"
    needed_libraries "$1" > "$work/libraries"
    while read -r path; do
        cp -L "$path" "$2/lib/"
    done < "$work/libraries"
}

# The per-run disk: eret, libraries, the shared files and the command.
build_share() {
    local tree=$work/share item file path
    find_libraries
    mkdir -p "$tree/lib"
    if [ -x "$build/${ERET_BUILD:-arm64}/eret" ]; then
        cp "$build/${ERET_BUILD:-arm64}/eret" "$tree/eret"
        add_libraries "$tree/eret" "$tree"
    fi
    for item in "${shares[@]}"; do
        file=${item%%:*}
        path=$(basename "$file")
        case $item in *:*) path=${item#*:} ;; esac
        [ -e "$file" ] || fail "nothing to share: $file does not exist"
        mkdir -p "$(dirname "$tree/$path")"
        cp -rL --sparse=always "$file" "$tree/$path"
        [ -d "$file" ] || add_libraries "$file" "$tree"
    done
    {
        [ -z "$interactive" ] || stty size <&3 | sed '/\<0\>/d; s/\(.*\) \(.*\)/stty rows \1 cols \2/'
        printf 'exec'
        printf ' %s' "${command[@]@Q}"
        echo
    } > "$tree/command"
    [ -z "$interactive" ] || touch "$tree/on-terminal"
    ext4_image "$tree" "$work/share.ext4"
    rm -rf "$tree"
}

prepare() {
    mkdir -p "$build/host"
    exec 9> "$build/.host.lock"
    flock 9
    build_initrd
    build_kernels_disk
    exec 9>&-
}

# --- running ---------------------------------------------------------------------------------------------------------------------

run_qemu() {
    local -a channels
    local status_file=$work/status
    if [ -n "$interactive" ]; then
        saved_tty=$(stty -g <&3)
        # Our own raw mode: also nothing is changed on the way out, the guest's terminal driver has done that already.
        stty raw -echo <&3
        # shellcheck disable=SC2054  # QEMU's commas
        channels=(
            -chardev stdio,id=tty,mux=off,signal=off
            -device virtconsole,chardev=tty,name=tty
        )
    else
        mkfifo "$work/out" "$work/err"
        cat "$work/out" &
        cat_out=$!
        cat "$work/err" >&2 &
        cat_err=$!
        # shellcheck disable=SC2054
        channels=(
            -chardev "file,id=out,path=$work/out" -device virtserialport,chardev=out,name=out
            -chardev "file,id=err,path=$work/err" -device virtserialport,chardev=err,name=err
        )
    fi
    # Whoever dies takes the next one along: the script, timeout, QEMU.
    # shellcheck disable=SC2086  # words
    setpriv --pdeathsig KILL timeout --foreground --kill-after 5 "$timeout" setpriv --pdeathsig KILL \
        qemu-system-aarch64 -M "virt,virtualization=on,$machine" -cpu "$cpu" ${cpus:--smp 2 -accel tcg,thread=multi} -m 4096 \
        -nodefaults -display none -no-reboot -serial "file:$log" \
        -kernel "$build/kernels/$kernel/Image" -initrd "$dir/initrd" \
        -append "console=ttyAMA0 loglevel=5 panic=-1 rdinit=/init mitigations=off $append" \
        -device virtio-rng-pci \
        -drive "if=none,id=kernels,format=raw,readonly=on,file=$build/host/kernels.ext4" -device virtio-blk-pci,drive=kernels,serial=kernels \
        -drive "if=none,id=share,format=raw,readonly=on,file=$work/share.ext4" -device virtio-blk-pci,drive=share,serial=share \
        -device virtio-serial-pci "${channels[@]}" \
        -chardev "file,id=status,path=$status_file" -device virtserialport,chardev=status,name=status \
        <&3 9>&- &
    qemu=$!
    qemu_status=0
    wait "$qemu" || qemu_status=$?
    qemu=
    restore_terminal
    if [ -z "$interactive" ]; then
        # If QEMU never came to open its end, the readers still wait for a writer.
        : <> "$work/out"
        : <> "$work/err"
        wait "$cat_out" "$cat_err" 2>/dev/null || true
    fi
    status=$(cat "$status_file" 2>/dev/null || true)
}

restore_terminal() {
    [ -z "${saved_tty-}" ] || stty "$saved_tty" <&3
    saved_tty=
}

# shellcheck disable=SC2317  # called by the trap
clean_up() {
    if [ -n "${qemu-}" ]; then
        kill -KILL "$qemu" 2>/dev/null || true
        wait "$qemu" 2>/dev/null || true
    fi
    restore_terminal
    rm -rf "$work"
}

last_lines() {
    echo "host.sh: the last lines of the host's console ($log):" >&2
    tail -n 30 "$log" 2>/dev/null | tr -d '\r' | sed 's/^/  /' >&2
}

run() {
    prepare
    build_share
    if [ -z "$interactive" ]; then
        exec 9> "$build/.host-running.lock"
        flock -n 9 || { echo "host.sh: waiting for another emulated host to end" >&2; flock 9; }
    fi
    : > "$log"
    run_qemu
    if [ -n "$status" ]; then
        exit "$status"
    fi
    if [ "$qemu_status" = 124 ] || [ "$qemu_status" = 137 ]; then
        last_lines
        echo "host.sh: the host was stopped after $timeout seconds" >&2
        exit 124
    fi
    last_lines
    if grep -q 'Kernel panic' "$log"; then
        fail "the host's kernel crashed"
    fi
    fail "the host ended before the command did (QEMU's exit status: $qemu_status)"
}

# -----------------------------------------------------------------------------------------------------------------------------

action=${1-}
[ $# -eq 0 ] || shift
kind=gicv3
interactive=
timeout=
shares=()
command=()
case $action in
kinds)
    kinds | cut -d'|' -f1
    exit 0
    ;;
--help | -h)
    usage
    exit 0
    ;;
build)
    kind=${1:-gicv3}
    ;;
run)
    while [ $# -gt 0 ]; do
        case $1 in
        --kind) kind=${2-}; shift 2 || fail "$1 needs a value" ;;
        --timeout) timeout=${2-}; shift 2 || fail "$1 needs a value" ;;
        --share) shares+=("${2-}"); shift 2 || fail "$1 needs a value" ;;
        --interactive) interactive=1; shift ;;
        --help | -h) usage; exit 0 ;;
        --) shift; command=("$@"); break ;;
        *) fail "unknown option $1 (--help lists them); a command follows behind --" ;;
        esac
    done
    [ ${#command[@]} -gt 0 ] || fail "no command to run"
    ;;
*)
    usage >&2
    exit "$host_failed"
    ;;
esac
set_kind "$kind"
log=$dir/console${interactive:+-interactive}.log
if [ -z "$timeout" ]; then
    if [ -n "$interactive" ]; then timeout=0; else timeout=1500; fi
fi

exec 3<&0  # a job in the background has its stdin replaced
mkdir -p "$build"
for stale in "$build"/.host-work.*; do  # of runs that were killed outright
    [ ! -e "$stale" ] || kill -0 "${stale##*.}" 2>/dev/null || rm -rf "$stale"
done
work=$build/.host-work.$$
mkdir "$work"
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

if [ "$action" = build ]; then prepare; else run; fi
