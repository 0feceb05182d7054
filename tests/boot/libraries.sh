#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# On a host with other libraries than eret is built against: a running machine has these and no others, the C library,
# its loader, GLib, and what is loaded lazily; and its threads have their filters of system calls, as newer libraries
# may ask the kernel for something else. That they do not, all tests show that run beside this one: a call that the
# table of filters has not ends a machine with status 148.
# shellcheck source=tests/host/lib.sh
. "$LIB"
[ -n "${LIBRARIES-}" ] || skip_all "eret has the libraries that it is built against"

like /share/lib/libc.so.6 'GNU C Library \(Debian GLIBC 2\.41-' "the C library is Debian 13's"

cp "$FIXTURES/ext4.img" disk.img
tracing=/sys/kernel/tracing
[ -e $tracing/trace ] || mount -t tracefs nodev $tracing 2> /dev/null
start_boot idle --cpus 2 --memory 256M --disk disk.img --rng --record trace.rec --stats=stats.json --sandbox require
wait_console 'GUEST idle' 120 || exit
sed -n 's,^[^/]*\(/.*\.so[.0-9]*\)$,\1,p' "/proc/$pid/maps" | sort -u > used
while read -r file; do sha256sum "$file"; done < used | sed 's,  .*/,  ,' > sums
is "$(grep -vxFf "$LIBRARIES" sums)" "" "all that a machine has are of that release"
for name in ld-linux-aarch64.so.1 libc.so.6 libglib-2.0.so.0 libfdt.so.1 liburing.so.2 libtracefs.so.1 libtraceevent.so.1; do
    like used "/$name\$" "$name is among them"
done
is "$(sed -n 's/^Seccomp:[^0-9]*//p' "/proc/$pid/task/"*/status | sort | uniq -c | awk '$2 == 2 { print ($1 >= 5) }')" 1 \
    "and system-call filters: two vCPUs, two queues of a disk, the source of entropy"
kill -TERM "$pid"
finish_eret 60
is "$status $(grep -c 'sandbox' "$errors")" "0 0" "it powers off, status 0"
