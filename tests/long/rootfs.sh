#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016  # what stands in single quotes is for the guest's shell
# Directories of the host's as roots of guests, by Debian 13's virtiofsd: of eret exec, of eret run, this host's own,
# and one with systemd.
# limit: 2400
# root
# shellcheck source=tests/host/lib.sh
. "$LIB"
# shellcheck source=tests/host/lib-net.sh
. "${LIB%.sh}-net.sh"
PATH=$FIXTURES/debian-13/bin:$PATH
command -v busybox > /dev/null || skip_all "there is no busybox"
command -v virtiofsd > /dev/null || skip_all "there is no virtiofsd"
own_network  # and a root of its own

# eret exec: the same root by virtio-fs as exec-root.sh has packed and in an image.
mkdir root
tar -xf "$FIXTURES/merged.tar" -C root
echo kept > root/etc/owned
chmod 640 root/etc/owned
touch -d @1000000 root/etc/owned
chown 7:8 root/etc/owned
mknod root/etc/null c 1 3
mkdir root/etc/mounted
mount -t tmpfs none root/etc/mounted
echo below > root/etc/mounted/file
printf '#!/bin/sh\necho "the tool ran"\n' > tool
chmod 755 tool
before=$(find root | sort | sha256sum)
run_exec --rootfs root --copy-in tool:/bin/tool --copy-in tool:/root/deep/tool -- sh -c '
    busybox stat -c "owned %u:%g %a %Y" /etc/owned
    echo more >> /etc/owned && busybox cat /etc/owned
    busybox rm -r /usr/lib && busybox mkdir /new && echo x > /new/file && busybox mv /etc /etc2 && busybox cat /etc2/mounted/file
    echo x > /etc2/null && tool && busybox ls /root/deep
    busybox unshare -U true && echo "a user namespace"
    busybox grep -c " / overlay " /proc/mounts'
is "$status $(cat out)" "0 $(printf '%s\n' 'owned 7:8 640 1000000' kept more below 'the tool ran' tool 'a user namespace' 1)" "a directory is the root, with what is mounted below"
is "$(find root | sort | sha256sum) $(cat root/etc/owned)" "$before kept" "and nothing of it is changed"
is "$(cat "$errors")" "" "nobody has anything to complain of"
umount root/etc/mounted
run_exec --rootfs root,rw -- sh -c 'echo written > /etc/new; busybox chown 9:9 /etc/new; busybox rm /etc/owned; busybox grep " / " /proc/mounts'
like out '^rootfs / virtiofs rw' "with rw it is the root itself"
is "$(cat root/etc/new) $(stat -c %u:%g root/etc/new) $(ls root/etc)" "written 9:9 link
mounted
new
null" "and what is written to it is here"
for cache in always never; do
    run_exec --rootfs root,rw,cache=$cache -- sh -c "echo $cache > /etc/new && busybox cat /etc/new"
    is "$status $(cat out) $(cat root/etc/new)" "0 $cache $cache" "cache=$cache: of a root, too"
done
dd if=/dev/urandom of=root/large bs=1M count=200 2> /dev/null
sum=$(checksum root/large)
run_exec --memory 128M --rootfs root -- sh -c 'busybox sha256sum /large | busybox cut -d" " -f1'
is "$status $(cat out)" "0 $sum" "what is in it takes no memory of the guest's: 200 MiB, in 128"
rm root/large

run_exec --rootfs root --copy-in "$GUESTS/file-checks" -- sh -c 'busybox mkdir /new && /file-checks calls /new && /file-checks model /new/file 3 300 && echo "as it should be"'
is "$status $(cat out)" "0 as it should be" "the overlay above it is a file system as programs expect it"
run_exec --rootfs root,copy -- sh -c 'busybox grep -c virtiofs /proc/mounts'
is "$(cat out)" 0 "a copy is none that is shared"
run_exec --rootfs root,rw --initrd "$KERNELS/6.12/initrd" --append "eret.mode=report"
is "$status" 0 "a guest of the user's own has the device"

# eret run: the root's own first process, and every boot begins with what is here.
mkdir -p root/sbin root/proc root/dev root/sys root/run
cat > root/sbin/init << 'END'
#!/bin/sh
PATH=/bin:/usr/bin
echo "GUEST pid=$$ arguments=$*"
echo boot >> /boots
echo "GUEST boots=$(busybox wc -l < /boots)"
echo "GUEST score=$(busybox cat /proc/self/oom_score_adj)"
[ "$(busybox wc -l < /boots)" != 1 ] || [ ! -e /again ] || busybox reboot -f
busybox poweroff -f
busybox sleep 60
END
chmod 755 root/sbin/init
run_eret --kernel "$image" --append "quiet single" --memory 256M --rootfs root
is "$status $(guest pid)" "0 1 arguments=single" "the root's own init is the first process, with what the kernel was told for it"
is "$(guest boots) $(guest score) $(ls root/boots 2> /dev/null)" "1 0 " "it writes into memory, and is killed as others are"
: > root/again
run_eret --kernel "$image" --append quiet --memory 256M --rootfs root,rw
is "$status $(grep -c 'GUEST boots' "$console") $(guest boots) $(wc -l < root/boots)" "0 2 2 2" "with rw what it writes is there at the next boot"
rm root/boots root/again
printf '#!/bin/sh\nPATH=/bin\necho "GUEST other=yes"\nbusybox poweroff -f\n' > root/etc/other
chmod 755 root/etc/other
run_eret --kernel "$image" --append "quiet init=/etc/other" --memory 256M --rootfs root
is "$status $(guest other)" "0 yes" "another init is asked for"
run_eret --kernel "$image" --append "init=/no/such panic=-1" --no-reboot --memory 256M --rootfs root
is "$status" 3 "one that is not there is a panic"
like "$console" 'eret-init: init=/no/such: No such file or directory' "which is explained"
cp "$FIXTURES/merged.ext4" root.img
run_eret --kernel "$image" --append "quiet init=/bin/sh -- -c busybox\${IFS}poweroff\${IFS}-f" --memory 256M --rootfs root.img
is "$status" 0 "an image is a root for it, too" || comment_file "the console" "$console"

# This host's own root, whose programs run in the guest.
echo 'of the host' > here
run_exec --host --memory 512M -- sh -c 'pwd; cat here; echo changed > here; cat here; [ -x "$1" ] && echo eret; id -u; touch /bin/new && echo "a new program"' sh "$ERET"
is "$status $(cat out)" "0 $(printf '%s\n' "$PWD" 'of the host' changed eret 0 'a new program')" "this host's own root, in this directory, as root" || comment_file errors "$errors"
is "$(cat here) $(ls /bin/new 2> /dev/null)" "of the host " "of which nothing is changed"

# Debian 13 with systemd, of which only what is read comes to the guest; a directory is mounted by it as it is told.
[ -e "${DEBIAN_ROOT-}/root.ext4" ] || { skip "Debian with systemd" "there is no root of Debian's"; exit; }
mkdir debian files
mount -t ext4 -o ro,loop "$DEBIAN_ROOT/root.ext4" debian
cat > files/script << 'END'
exec > /dev/console
while read -r what place type rest; do
    case $place in /) echo "GUEST root=$type" ;; /srv/files) echo "GUEST files=$type" ;; esac
done < /proc/mounts
echo "GUEST comm=$(cat /proc/1/comm)"
echo "GUEST failed=$(systemctl --failed --no-legend | wc -l)"
echo x > /etc/written && echo "GUEST written=yes"
echo y > /srv/files/answer
END
run_eret --timeout 1500 --kernel "$image" --rootfs debian --share files,at=/srv/files --cpus 2 --memory 512M --rng --append "quiet \
systemd.default_timeout_start_sec=900 systemd.service_watchdogs=no systemd.run=\"/bin/sh /srv/files/script\" systemd.run_success_action=poweroff"
is "$status $(guest comm) $(guest root) $(guest files)" "0 systemd overlay virtiofs" "Debian 13 boots from a directory, and systemd mounts the other"
is "$(guest written) $(cat files/answer)" "yes y" "it writes where it may"
is "$(guest failed)" 0 "and nothing of it has failed"
umount debian
