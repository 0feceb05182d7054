#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What a machine costs the host beside its guest's memory: private memory, threads, libraries.
# limit: 600
# shellcheck source=tests/host/lib.sh
. "$LIB"
# shellcheck source=tests/host/lib-net.sh
. "${LIB%.sh}-net.sh"

# KiB that this process has written to, and nobody can share, without the guest's memory, which is a mapping of half its size or more.
private() {
    awk -v guest="$1" '
        /^[0-9a-f]+-[0-9a-f]+ / { size = 0 }
        $1 == "Size:" { size = $2 }
        $1 == "Private_Dirty:" && size < guest / 2 { sum += $2 }
        END { print sum }
    ' "/proc/$pid/smaps"
}
# KiB in memory of the files with names that match.
resident() {
    awk -v name="$1" '
        /^[0-9a-f]+-[0-9a-f]+ / { counts = $6 ~ name }
        $1 == "Rss:" && counts { sum += $2 }
        END { print sum + 0 }
    ' "/proc/$pid/smaps"
}
threads() { cat "/proc/$pid/task/"*/comm | LC_ALL=C sort | tr '\n' ' '; }

start_boot idle --memory 256M
wait_console 'GUEST idle' 100
without=$(private 262144)
check "default devices: at most 2 MiB of private memory ($without KiB)" [ "$without" -le 2048 ]
is "$(threads)" "eret vcpu0 " "default devices: the main thread and the vCPU's"
unlike "/proc/$pid/maps" 'lib(archive|json-glib|gobject|tracefs|traceevent|elf|zstd|lz4|z|uring)[.-]' "no library that has not been called"
is "$(resident '/(Image|initrd)$')" 0 "of kernel and initrd nothing stays in memory but in the guest's"
kill -KILL "$pid"
finish_eret 10

start_eret --kernel "$FIXTURES/Image.gz" --initrd "$KERNELS/6.12/initrd" --append 'quiet eret.mode=test eret.test=idle' --memory 256M
wait_console 'GUEST idle' 100
check "a packed kernel: at most 2 MiB ($(private 262144) KiB)" [ "$(private 262144)" -le 2048 ]
kill -KILL "$pid"
finish_eret 10

cp "$FIXTURES/ext4.img" disk.img
start_boot idle --memory 256M --console virtio --disk disk.img
wait_console 'GUEST idle' 100
check "virtio-console and a disk: at most 2 MiB ($(private 262144) KiB)" [ "$(private 262144)" -le 2048 ]
kill -KILL "$pid"
finish_eret 10

# With traffic: long packets both ways.
make_tap eret3 1 1500 10.80.0.1
for vhost in off $([ ! -e /dev/vhost-net ] || echo on); do
    start_boot net,10.80.0.2,10.80.0.1 --memory 256M --net "tap=eret3,vhost=$vhost"
    wait_console 'GUEST ready' $patience
    check "a network card, vhost=$vhost: it is in use" ping -c 4 -W 20 -s 20000 10.80.0.2
    more=$(($(private 262144) - without))
    check "and has at most 150 KiB ($more KiB)" [ "$more" -le 150 ]
    kill -KILL "$pid"
    finish_eret 10
done
ip link delete eret3
