#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016  # what stands in single quotes is for the guest's shell
# Directories of the host's in guests, by Debian 13's virtiofsd, which eret starts: files in both directions, what must
# not be, over reboots, and when it dies.
# limit: 2400
# root
# shellcheck source=tests/host/lib.sh
. "$LIB"
# shellcheck source=tests/host/lib-net.sh
. "${LIB%.sh}-net.sh"
PATH=$FIXTURES/debian-13/bin:$PATH
exec_limit=600 # of thousands of calls, each of which goes to the daemon
command -v busybox > /dev/null || skip_all "there is no busybox"
command -v virtiofsd > /dev/null || skip_all "there is no virtiofsd"

mkdir -p src/sub dst
echo 'from the host' > src/hello
chmod 640 src/hello
ln -s /etc/secret src/out
dd if=/dev/urandom of=src/data bs=1M count=8 2> /dev/null
sum=$(checksum src/data)

# In the emulated host's first root no program can have another; what can be had there is used, and said.
if [ -z "${NETWORK-}" ]; then
    run_exec --share src,ro,at=/src -- cat /src/hello
    is "$status $(cat out)" "0 from the host" "on whatever root this host has, a directory is shared"
    if grep -q 'cannot have namespaces' "$errors"; then like "$errors" "its root is .*/src, and it is apart from nothing else" "and how is said"; fi
fi
own_network  # and a root of its own

run_exec --share src,ro,at=/src --share dst,at=/deep/dst -- sh -c '
    cat /src/hello
    stat -c "%a %u:%g" /src/hello
    sha256sum /src/data | cut -d" " -f1
    echo x 2> /dev/null > /src/new || echo "not written"
    rm -f /src/hello 2> /dev/null || echo "not removed"
    chmod 777 /src/hello 2> /dev/null || echo "not changed"
    mkdir -p /etc && echo "of the guest" > /etc/secret && cat /src/out
    cp -r /src/data /src/sub /deep/dst
    mv /deep/dst/data /deep/dst/moved && ln /deep/dst/moved /deep/dst/linked
    mkfifo /deep/dst/pipe
    cp /src/hello /deep/dst/owned && chmod 751 /deep/dst/owned && chown 12:34 /deep/dst/owned
    echo one > /deep/dst/text && echo two >> /deep/dst/text && truncate -s 6 /deep/dst/text
    mount -o remount,rw /src && { echo x 2> /dev/null > /src/new || echo "nor after that"; }
    grep -c " virtiofs " /proc/mounts'
is "$status $(cat out)" "0 $(printf '%s\n' 'from the host' '640 0:0' "$sum" 'not written' 'not removed' 'not changed' 'of the guest' 'nor after that' 2)" \
    "a directory that is read, and one that is written"
is "$(checksum dst/moved) $(stat -c '%h' dst/linked) $(stat -c '%a %u:%g' dst/owned) $(stat -c '%F' dst/pipe) $(cat dst/text)" "$sum 2 751 12:34 fifo one
tw" "what the guest has made is here"
is "$(ls src) $(cat src/hello)" "data
hello
out
sub from the host" "and what it may only read is as it was"
is "$(cat "$errors")" "" "nobody has anything to complain of"

run_exec --share dst,tag=by-name --share src -- sh -c 'mkdir /a && mount -t virtiofs by-name /a && cat /a/text && mount -t virtiofs share1 /mnt && cat /mnt/hello
    mount -t virtiofs no-such /a 2> /dev/null || echo none'
is "$(cat out)" "$(printf 'one\ntwfrom the host\nnone')" "by their tags, the second by the one that it has where nobody names it"
mkdir 'a, b'
echo 'a comma' > 'a, b/hello'
run_exec --share 'a,, b,at=/with blanks/a' --share src,at=/with -- sh -c 'ls /with; ls "/with blanks/a"'
is "$(cat out)" "$(printf 'data\nhello\nout\nsub\nhello')" "names with blanks and commas"
run_exec --share src,at=/hello -- cat /hello/hello
is "$(cat out)" "from the host" "a place that is made for it"
mkdir -p root/bin
cp /bin/busybox root/bin/ 2> /dev/null || cp "$KERNELS/../bin/busybox" root/bin/
ln -s busybox root/bin/sh
echo file > root/file
run_exec --rootfs root --share src,at=/usr/src -- sh -c '/bin/busybox cat /usr/src/hello'
is "$(cat out)" "from the host" "in another root"
run_exec --rootfs root --share src,at=/file -- sh -c 'true'
is "$status" 126 "where a file is, no directory can be: 126"
like "$errors" '--share share0 at /file: Not a directory' "which is said"

# Who is who.
chown 300:400 dst
run_exec --share dst,xattr,at=/dst,uid-map=squash -- sh -c 'echo x > /dst/mine; chown 55:66 /dst/mine; stat -c %u:%g /dst /dst/mine'
is "$(cat out) $(stat -c %u:%g dst/mine)" "0:0
0:0 300:400" "all of the guest's users are the one who owns the directory"
chmod 777 dst
run_exec --share dst,at=/dst,uid-map=65000:7000:1000 -- sh -c 'echo x 2> /dev/null > /dst/none || echo refused
    su -s /bin/sh nobody -c "echo x > /dst/other"; stat -c %u:%g /dst/other'
is "$(cat out) $(stat -c %u:%g dst/other)" "refused
65534:65534 7534:7534" "who has no number here makes no file, and who has one makes it by that"

# Many files: none of them is kept open, as root can find them by their handles.
mkdir many
n=$(usual 20000 2000)
(cd many && busybox seq 1 "$n" | busybox xargs touch)
run_exec --share many,at=/many -- sh -c 'ls -l /many | wc -l; find /many -type f -exec stat -c "" {} + | wc -l'
is "$status $(cat out)" "0 $(printf '%s\n%s' $((n + 1)) "$n")" "$n files"
unlike "$errors" 'file descriptors' "none of which is one too many"

# What programs rely on: each operation on a file against a copy, by calls and by mappings; and names, links, modes,
# locks and the like.
checks='cd "$0" && mkdir calls many && /file-checks calls calls && /file-checks model file "$1" "$2" && /file-checks many many "$3" && rm -r file calls && echo "as it should be"'
mkdir checks
for cache in auto always; do
    run_exec --copy-in "$GUESTS/file-checks" --share checks,at=/checks,cache=$cache -- sh -c "$checks" /checks 17 "$(usual 1500 300)" "$(usual 3000 300)"
    is "$status $(cat out)" "0 as it should be" "cache=$cache: a file system as programs expect it"
    rm -rf checks/*
done

# Another user than root, who is root there.
dir=$(mktemp -d /tmp/share.XXXXXX)
mkdir "$dir/share"
echo "of a user" > "$dir/share/hello"
chown -R 65534:65534 "$dir"
mknod kvm c 10 232 && chmod 666 kvm && mount --bind kvm /dev/kvm
cat > "$dir/eret" << END
#!/bin/sh
start-stop-daemon -S -q -p none -c nobody -x /bin/env -- "$ERET" "\$@"
END
chmod 755 "$dir/eret"
of_root=$ERET
ERET=$dir/eret
run_exec --share "$dir/share,at=/share" --share "$dir/share,ro,at=/ro" -- sh -c 'cat /share/hello; stat -c %u:%g /share/hello; echo x > /share/new; chown 5:5 /share/new
    echo x 2> /dev/null > /ro/no || echo refused'
ERET=$of_root
is "$status $(cat out)" "0 $(printf 'of a user\n0:0\nrefused')" "without root: files of the user are root's in the guest" || sed 's/^/# /' "$errors"
is "$(stat -c %u:%g "$dir/share/new")" 65534:65534 "and the guest's files are the user's"
umount /dev/kvm
rm -rf "$dir"

# The virtiofsd that Debian 12 has: what it lacks, others see to.
if [ -d "$FIXTURES/debian-12" ]; then
    of_debian_13=$PATH
    PATH=$FIXTURES/debian-12/bin:$PATH
    run_exec --share src,ro,at=/src --share dst,at=/dst -- sh -c 'cat /src/hello; echo x 2> /dev/null > /src/new || echo refused; echo y > /dst/by-old; mv /dst/by-old /dst/older'
    is "$status $(cat out) $(cat dst/older)" "0 from the host
refused y" "the one of Debian 12 serves directories, too, and one read-only"
    run_exec --share dst,uid-map=squash -- true
    is "$status" 240 "what it cannot do is refused: 240"
    like "$errors" "virtio-fs0: the virtiofsd that is installed cannot tell users apart.*Debian 13's can" "which is said"
    mkdir boots
    cp src/data boots/data
    boot share,over,2 --memory 256M --share boots,tag=over
    is "$status $(guest boot-1) $(guest boot-2)" "0 $sum $sum" "and it is started again for the next boot"
    rm -rf boots
    run_exec --copy-in "$GUESTS/file-checks" --share checks,at=/checks -- sh -c "$checks" /checks 18 300 300
    is "$status $(cat out)" "0 as it should be" "a file system as programs expect it"
    PATH=$of_debian_13
fi

# Over reboots, in the midst of writing: each time another virtiofsd.
mkdir boots
cp src/data boots/data
boot share,over,3 --memory 256M --share boots,tag=over
is "$status $(guest boot-1) $(guest boot-2) $(guest boot-3)" "0 $sum $sum $sum" "a guest boots three times, and finds all there each time"
is "$(grep -c 'virtiofsd was started again' "$errors")" 2 "for each boot after the first, virtiofsd is started again"
unlike "$errors" 'ended|needs a reset|lost' "and nothing else is said of it"

# It dies: the directory is lost until the guest boots again; the guest goes on.
rm boots/boots
: > boots/lose
start_boot share,over,2 --memory 256M --share boots,tag=over
wait_console 'GUEST loading' "$patience" || exit
# shellcheck disable=SC2046  # words
kill -KILL $(helpers)
wait_console 'GUEST lost' "$patience" || exit
like "$errors" 'virtio-fs0: virtiofsd ended by signal 9.*its files cannot be reached until the guest resets' "virtiofsd is killed: the log says what is lost"
wait_console 'GUEST boot-2' "$patience" || exit
finish_eret "$patience"
is "$status $(guest boot-2)" "0 $sum" "and after a reboot it is there again"
check "with eret its virtiofsd has ended" sh -c '! grep -qs "[s]hared-dir=.*/boots" /proc/[0-9]*/cmdline'

# What cannot be.
if [ ! -e /usr/libexec/virtiofsd ] && [ ! -e /usr/lib/qemu/virtiofsd ]; then
    PATH=/no/such "$ERET" run --kernel "$image" --share src > none.out 2> none.err
    is "$?" 1 "without a virtiofsd there is no machine"
    like none.err 'served by virtiofsd, which is not installed; install it' "and what to install is said"
fi
