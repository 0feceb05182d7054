#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Three back ends of others in one guest, as Debian 13 has them: a file system of virtiofsd's, a disk of
# qemu-storage-daemon's, and passt's network. Each is read and written, each is killed under load and goes alone, and
# after a reboot all are there again. Then the disk once more, of Debian 12's daemon.
# limit: 1200
# root
# shellcheck source=tests/host/lib.sh
. "$LIB"
# shellcheck source=tests/host/lib-net.sh
. "${LIB%.sh}-net.sh"
daemons=$FIXTURES/debian-13/bin
PATH=$daemons:$PATH
MIB=4

start_fs() {
    virtiofsd --socket-path=fs.sock --shared-dir=shared --tag=shared --log-level=error 2>> fs.log &
    fs=$!
    await_socket fs.sock
}
start_disk() {
    qemu-storage-daemon --blockdev driver=file,node-name=image,filename=disk.img \
        --export type=vhost-user-blk,id=disk,node-name=image,writable=on,addr.type=unix,addr.path=disk.sock 2>> disk.log &
    disk=$!
    await_socket disk.sock
}
# With its children: virtiofsd has its work done by one.
kill_all() {
    read -r children < "/proc/$1/task/$1/children"
    # shellcheck disable=SC2086  # words
    kill -KILL "$1" $children
    wait "$1" || true
}

command -v busybox > /dev/null || skip_all "there is no busybox"
own_network
serve "$MIB"
mkdir shared
cp www/data shared/data
sum=$(checksum www/data)
echo load > shared/next
cp "$FIXTURES/ext4.img" disk.img
truncate -s 36M disk.img
truncate -s 4M own.img
serve_at 127.0.0.1:8080

start_fs
start_disk
start_boot back-ends,8080 --memory 256M --net user,forward=8081:80 --disk own.img,serial=own \
    --device vhost-user=fs.sock,type=fs,queues=2 --device vhost-user=disk.sock,type=block
wait_console 'GUEST ready' $patience || exit
is "$(guest hello)" "hello from the host" "qemu-storage-daemon's disk has the file system of its image"
is "$(guest disk-read)" "$sum" "$MIB MiB written to it are read again"
is "$(guest raw-read)" "$sum" "so are those without a file system"
dd if=disk.img bs=1M skip=32 of=raw 2> /dev/null
is "$(checksum raw)" "$sum" "and they are in the image"
is "$(guest shared-read)" "$sum" "virtiofsd's files are read"
is "$(checksum shared/written)" "$(guest shared-written)" "and written"
is "$(guest fetched)" "$sum" "passt's network brings a file"
is "$(fetched_sum http://127.0.0.1:8081/data)" "$sum" "and serves one"
passt=$(helpers)
check "passt is in vhost-user mode" grep -q -e '--vhost-user' "/proc/$passt/cmdline"

wait_console 'GUEST loading=shared' $patience || exit
kill_all "$fs"
wait_console 'GUEST loading=disk' $patience || exit
is "$(guest without-shared)" "$sum" "virtiofsd is killed under load: its device needs a reset, and the guest's own disk goes on"
like "$errors" 'vhost-user back end .*fs.sock has closed its connection; it needs a reset by its driver' "the log says who is gone"
check "the others are not" test "$(grep -c 'needs a reset' "$errors")" = 1
kill_all "$disk"
wait_console 'GUEST loading=net' $patience || exit
is "$(guest without-disk)" "$sum" "the same of qemu-storage-daemon"
like "$errors" 'vhost-user back end .*disk.sock has closed its connection; it needs a reset by its driver' "the log says so"
start_fs
start_disk
echo "end" > shared/next
kill -KILL "$passt"
lines 'GUEST without-net' 1 $patience
is "$(guest without-net)" "$sum" "and of passt"
like "$errors" 'virtio-net0: passt ended by signal 9' "which the log says, too"
check "the guest boots again" lines 'GUEST ready' 2 $patience
is "$(guest before)" "$sum" "the disk is back, with what was written to it"
is "$(guest shared-read)$(guest disk-read)$(guest fetched)" "$sum$sum$sum" "all three are there again"
is "$(fetched_sum http://127.0.0.1:8081/data)" "$sum" "passt's ports, too"
: > shared/end
finish_eret $patience
is "$status" 0 "the guest ends well"
is "$(guest exit)" 0 "and its test, too"
is "$(cat fs.log disk.log)" "" "the back ends have nothing to complain of"
kill -KILL "$server"
kill_all "$fs"
kill_all "$disk"

# Debian 12's offers 32 memory slots instead of 509, and other protocol features.
PATH=$FIXTURES/debian-12/bin:${PATH#"$daemons:"}
cp "$FIXTURES/ext4.img" disk.img
start_disk
qemu-storage-daemon --version > version
like version 'version 7\.2' "Debian 12's qemu-storage-daemon"
start_boot disk,8 --cpus 2 --device vhost-user=disk.sock,type=block
wait_console 'GUEST done' $patience
finish_eret $patience
is "$status" 0 "its guest ends well"
mkdir mounted
mount -t ext4 -o loop,ro disk.img mounted
is "$(checksum mounted/data)" "$(guest sha256)" "and what it wrote is in the image"
umount mounted
is "$(cat disk.log)" "" "without a complaint"
kill_all "$disk"
