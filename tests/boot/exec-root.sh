#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016  # what stands in single quotes is for the guest's shell
# The root that a command of eret exec sees, and that what was asked for and is not there is said.
# shellcheck source=tests/host/lib.sh
. "$LIB"

# A directory as root is more than a chroot: in one, the kernel refuses a new user namespace, and there is no mount to exchange.
mkdir -p root/bin root/etc root/mnt
cp "$KERNELS/../bin/busybox" root/bin/ 2> /dev/null || cp /bin/busybox root/bin/
ln -s busybox root/bin/sh
echo kept > root/etc/owned
chmod 640 root/etc/owned
touch -d @1000000 root/etc/owned
[ "$(id -u)" != 0 ] || chown 7:8 root/etc/owned
owners=$([ "$(id -u)" != 0 ] && echo 0:0 || echo 7:8)
cat > steps << 'END'
PATH=/bin
busybox stat -c 'owned %u:%g %a %Y' /etc/owned
busybox unshare -U true && echo "a user namespace"
busybox unshare -m sh -c '
    busybox mount -t tmpfs none /mnt && busybox mkdir /mnt/old /mnt/bin && busybox cp /bin/busybox /mnt/bin/ &&
        busybox ln -s busybox /mnt/bin/sh && busybox pivot_root /mnt /mnt/old && exec /bin/sh -c "[ -e /old/etc/owned ] && echo pivoted"'
busybox grep -c " / " /proc/self/mounts
read -r line < /tmp/in.txt && echo "$line"
busybox stat -c '%a' /tmp
END
echo 'from the host' > in.txt
run_exec --rootfs root --copy-in steps --copy-in in.txt:/tmp/in.txt -- sh /steps
is "$(cat out)" "$(printf 'owned %s 640 1000000\na user namespace\npivoted\n1\nfrom the host\n1777' "$owners")" \
    "a directory as root: owners, modes and times are kept, namespaces and pivot_root work, a file in /tmp is there"
run_exec --copy-in in.txt:/tmp/in.txt -- sh -c 'cat /tmp/in.txt; ls /eret/modules | wc -l'
is "$(cat out)" "$(printf 'from the host\n0')" "without another root too; and loaded modules take up no memory"

# A root whose directories are links, as in Debian: what is copied in goes to where its path leads in the root, in a directory and in an image
# alike; and directories that are there stay as they are.
mkdir merged
tar -xf "$FIXTURES/merged.tar" -C merged
cp "$FIXTURES/merged.ext4" merged.img
printf '#!/bin/sh\necho "the tool ran"\n' > tool
chmod 755 tool
mkdir -p tree/sub
echo deep > tree/sub/file
for kind in merged merged.img; do
    run_exec --rootfs $kind --copy-in tool:/bin/tool --copy-in tree:/lib --copy-in tool:/usr/tmp/tool --copy-in in.txt:/root/in.txt \
        --copy-in in.txt:/etc/link --copy-in tree --copy-in in.txt:/tree/sub/in.txt -- sh -c 'tool
            busybox readlink /bin; busybox readlink /lib; busybox cat /usr/lib/sub/file
            busybox ls /var/tmp; busybox stat -c "%a" /root /bin/tool; busybox cat /etc/link; busybox ls /tree/sub'
    is "$(cat out "$errors")" "$(printf '%s\n' 'the tool ran' usr/bin /usr/lib deep tool 700 755 'from the host' file in.txt)" \
        "$kind: what is copied in follows the links of the root"
    run_exec --rootfs $kind --copy-in tree:/bin/busybox -- true
    is "$status" 126 "$kind: a directory in the place of a file: 126"
    like "$errors" "--copy-in /bin/busybox: it is a directory, and not so in the root" "$kind: which is said"
done

# The twenty-eighth disk is not called vd{.
disks=
for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27; do
    truncate -s 1M "$n.img"
    disks="$disks --disk $n.img,ro"
done
cp "$FIXTURES/root.ext4" root.img
# shellcheck disable=SC2086  # several words
run_exec $disks --rootfs root.img -- sh -c 'cat /etc/hostname; unshare -U true && echo "a user namespace"'
is "$(cat out)" "$(printf 'eret-test\na user namespace')" "an image behind 27 other disks is the root"

# What was asked for and is not there.
run_exec --append "module_blacklist=virtio_blk" --disk 1.img,ro -- true
is "$status" 247 "a disk that no driver takes: 247"
like "$errors" 'virtio_blk' "and it is named"
run_exec --module no-such-module -- true
is "$status" 2 "a module that is not there: 2"
like "$errors" "no-such-module: .*has no such module" "and it is named"
mkfifo pipe
run_exec --copy-in pipe -- true
is "$status" 240 "a pipe cannot be copied: 240"
like "$errors" "'pipe' is a pipe" "and it is named"
