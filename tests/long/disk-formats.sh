#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Disks of every format, and on a network, by qemu-storage-daemon as Debian 13 and Debian 12 have it: written and read
# again, backed by other files, copy-on-write, read-only, killed under load, in use, and refused.
# limit: 3600
# root
# shellcheck source=tests/host/lib.sh
. "$LIB"
tools=$FIXTURES/debian-13/bin
search=$PATH
run_limit=$((2 * patience))

image() { "$tools/qemu-img" "$@" > /dev/null; }
same() { is "$(sha256sum < "$1")" "$2" "$3"; }
# disk N: the name of the guest's disk number N, from 0.
disk() { printf 'vd%s' "$(echo abcdefghijklmnop | cut -c $(($1 + 1)))"; }
# The line has no end, which read takes for a failure.
child() { helpers | head -n 1; }

# written NUMBER NAME
written() {
    vd=$(disk "$1")
    is "$(guest "$vd-ro") $(guest "$vd-hello") $(guest "$vd-before")" "0 hello from the host none" "$qsd: $2 has the file system of its image"
    is "$(guest "$vd-read")" "$(guest "$vd-written")" "$qsd: $2 is written, and read again"
    guest "$vd-written" > "sum.$1"
}
# kept NUMBER NAME
kept() { is "$(guest "$(disk "$1")-before")" "$(cat "sum.$1")" "$qsd: $2 has the same in the next boot"; }

# each_disk FUNCTION
each_disk() {
    n=0
    for name in qcow2 vmdk vhdx vhd vdi parallels qcow qed "an image with two behind it" copy-on-write; do
        "$1" "$n" "$name"
        n=$((n + 1))
    done
}

formats() {
    set --
    for format in qcow2 vmdk vhdx vpc vdi parallels qcow qed; do
        image convert -f raw -O "$format" "$FIXTURES/ext4.img" "$format.img" || exit
        set -- "$@" --disk "$format.img,format=$format"
    done
    rm -f base.img
    cp "$FIXTURES/ext4.img" base.img
    base=$(sha256sum < base.img)
    image create -f qcow2 -b base.img -F raw middle.img
    image create -f qcow2 -b middle.img -F qcow2 top.img
    image convert -f raw -O vmdk "$FIXTURES/ext4.img" cow.img
    cow=$(sha256sum < cow.img)
    set -- "$@" --disk top.img,format=qcow2,backing=middle.img,backing=base.img --disk cow.img,format=vmdk,cow \
        --disk middle.img,format=qcow2,backing=base.img,ro --memory 256M --cpus 2

    boot disks,1 "$@"
    is "$status" 0 "$qsd: the guest powers off, status 0"
    each_disk written
    is "$(guest vdk-ro) $(guest vdk-hello) $(guest vdk-before)" "1 hello from the host none" "$qsd: a read-only disk is that"
    echo none > sum.9  # what is copy-on-write has gone with its machine
    boot disks,0 "$@"
    is "$status" 0 "$qsd: it boots again, and powers off, status 0"
    each_disk kept
    same base.img "$base" "$qsd: what backs an image is as it was"
    same cow.img "$cow" "$qsd: so is the image of a disk that is copy-on-write"
}

# The daemon is killed under load: its disk alone is lost, and there again after a reboot, with what was written,
# wherever that is.
lost() {
    image create -f qcow2 lost.img 16M
    start_boot disk-lost --disk lost.img,format=qcow2,cow
    wait_console 'GUEST loading' $patience || return
    kill -KILL "$(child)"
    check "$qsd: it is killed under load, and the guest sees that" wait_console 'GUEST lost' $patience || return
    finish_eret $patience
    is "$status" 0 "$qsd: the guest reboots, and powers off, status 0"
    is "$(guest cache)" "write back" "$qsd: the guest knows that it has to flush what is to last"
    is "$(guest word)" here "$qsd: its disk is there again, with what it had flushed"
    like "$errors" 'virtio-blk0: qemu-storage-daemon ended by signal 9' "$qsd: the log says how it ended"
    like "$errors" 'virtio-blk0: qemu-storage-daemon was started again' "$qsd: and that there is another"
}

in_use() {
    start_boot idle --disk qcow2.img,format=qcow2
    wait_console 'GUEST idle' $patience || return
    first=$pid first_console=$console daemon=$(child)
    for how in '' ,ro ,cow; do
        run_eret --kernel "$KERNELS/6.12/Image" --disk "qcow2.img,format=qcow2$how"
        is "$status" 1 "$qsd: another machine is refused the image that one writes${how:+ (}${how#,}${how:+)}"
        like "$errors" "disk image qcow2\\.img is in use by process $daemon \\(" "$qsd: and told by whom it is used"
    done
    pid=$first console=$first_console
    kill -KILL "$pid"
    finish_eret $patience
    gone=0
    while running "$daemon" && [ "$gone" -lt 100 ]; do sleep 0.2; gone=$((gone + 1)); done
    check "$qsd: it ends with eret, however that ends" test "$gone" -lt 100
}

for version in 13 12; do
    qsd="qemu-storage-daemon of Debian $version"
    PATH=$FIXTURES/debian-$version/bin:$search
    formats
    lost
    in_use
done

# What is not opened, and what is said then.
refused() {
    name=$1 pattern=$2
    shift 2
    run_eret --kernel "$KERNELS/6.12/Image" "$@"
    is "$status" 1 "$name is refused"
    like "$errors" "$pattern" "$name: it is said why"
}
refused "an image with another behind it" "middle\\.img is backed by '.*/base\\.img', .*allow it by ',backing=.*/base\\.img'" --disk middle.img,format=qcow2
image create -u -f qcow2 -b /etc/passwd -F raw hostile.img 1M
refused "an image that names a file of the host's" "backed by '/etc/passwd'" --disk hostile.img,format=qcow2
refused "another format than it is" "is no vdi image, but a qcow2 image: ',format=qcow2'" --disk qcow2.img,format=vdi
refused "an image of which nothing is said" "is a qcow2 image: ',format=qcow2'" --disk qcow2.img
cp qcow2.img new.img
printf '\4' | dd of=new.img bs=1 seek=7 conv=notrunc 2> /dev/null
refused "a newer version of a format" "is newer than qemu-storage-daemon" --disk new.img,format=qcow2
as="env PATH=/nowhere"
refused "a disk that nobody serves" "qemu-storage-daemon, which is not installed; install it" --disk qcow2.img,format=qcow2
as=

# On a network, by TCP and by a local socket; one server is away for a while.
PATH=$FIXTURES/debian-13/bin:$search
ip link set lo up 2> /dev/null || true
# It serves one at a time unless it is told how many there may be.
serve() { "$tools/qemu-nbd" -t -e 4 -k "$PWD/nbd.sock" -x disk -f raw nbd.img 2>> nbd.log & local_server=$!; }
cp "$FIXTURES/ext4.img" nbd.img
cp "$FIXTURES/ext4.img" tcp.img
tcp=$(sha256sum < tcp.img)
serve
"$tools/qemu-nbd" -t -e 4 -r -b 127.0.0.1 -p 10809 -f raw tcp.img 2>> nbd.log &
server=$!
boot disks,1 --disk "nbd=nbd+unix:///disk?socket=$PWD/nbd.sock" --disk nbd=nbd://127.0.0.1,cow --disk nbd=nbd://127.0.0.1/,ro
is "$status" 0 "disks on a network: the guest powers off, status 0"
is "$(guest vda-hello) $(guest vdb-hello) $(guest vdc-hello)" "hello from the host hello from the host hello from the host" "all are read"
is "$(guest vda-read) $(guest vdb-read)" "$(guest vda-written) $(guest vdb-written)" "two are written, and read again"
is "$(guest vda-ro) $(guest vdb-ro) $(guest vdc-ro)" "0 0 1" "the third is read-only"
same tcp.img "$tcp" "what is copy-on-write stays as it was"
refused "an export that is none" "NBD disk .*/other\\?.* is none of its server's" --disk "nbd=nbd+unix:///other?socket=$PWD/nbd.sock"
refused "a disk that may not be written" "may only be read: ',ro', or ',cow'" --disk nbd=nbd://127.0.0.1
kill -KILL "$server"

truncate -s 16M nbd.img
start_boot disk-waits --disk "nbd=nbd+unix:///disk?socket=$PWD/nbd.sock"
if wait_console 'GUEST pieces=3' $patience; then
    kill -KILL "$local_server"
    wait "$local_server" || true
    sleep 2
    rm -f nbd.sock
    serve
    seen=$(guest pieces)
    check "a server that is away for a while is waited for" lines 'GUEST pieces=' $((seen + 5)) $patience
    printf end | dd of=nbd.img bs=4096 seek=2048 conv=notrunc 2> /dev/null
fi
finish_eret $patience
is "$(guest failed)" 0 "and no write has failed"
kill -KILL "$local_server"
refused "a server that is gone" "NBD disk .* cannot be reached: start the server first" --disk "nbd=nbd+unix:///disk?socket=$PWD/nbd.sock"
