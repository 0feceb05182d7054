#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2016  # what stands in single quotes is for the guest's shell
# Container images as roots of guests, by Debian 13's skopeo and umoci: what they say of themselves counts, of eret exec
# and of eret run, with virtiofsd and without; and what is unpacked stays as it is.
# limit: 2400
# root
# shellcheck source=tests/host/lib.sh
. "$LIB"
# shellcheck source=tests/host/lib-net.sh
. "${LIB%.sh}-net.sh"
own_network # and a root of its own, which virtiofsd wants
PATH=$FIXTURES/debian-13/bin:$PATH
command -v busybox > /dev/null || skip_all "there is no busybox"
for tool in skopeo umoci virtiofsd; do
    command -v $tool > /dev/null || skip_all "there is no $tool"
done
HOME=$PWD XDG_CACHE_HOME=$PWD/cache TMPDIR=$PWD
export HOME XDG_CACHE_HOME TMPDIR
mkdir -p .config/containers
echo '{"default": [{"type": "insecureAcceptAnything"}]}' > .config/containers/policy.json
images=cache/eret/images

# One image of what there is to be said, and one of nothing.
umoci init --layout layout
umoci new --image layout:app
umoci unpack --image layout:app bundle > umoci.log 2>&1
tar -xf "$FIXTURES/merged.tar" -C bundle/rootfs
cd bundle/rootfs || exit
mkdir srv srv/app
printf 'root:x:0:0:root:/root:/bin/sh\napp:x:1000:1001::/srv/app:/bin/sh\n' > etc/passwd
printf 'root:x:0:\napp:x:1001:\nwheel:x:10:root\nmore:x:20:other,app\n' > etc/group
cat > entry << 'END'
#!/bin/sh
echo "entry $* as $(busybox id -u):$(busybox id -g) of $(busybox id -G) in $PWD, home $HOME, A=$A B=$B"
echo error > /dev/stderr
busybox touch /entry 2> /dev/null && echo "may write"
exit 7
END
chmod 755 entry
echo owned > etc/owned
chown 1000:20 etc/owned
chmod 640 etc/owned
mknod etc/null c 1 3
ln -s /etc/shadow etc/shadow
cd ../.. || exit
umoci repack --image layout:app bundle >> umoci.log 2>&1
umoci config --image layout:app --tag bare --os linux --architecture arm64
umoci config --image layout:app --tag foreign --os linux --architecture riscv64 --config.cmd x
umoci config --image layout:app --os linux --architecture arm64 --config.entrypoint /entry --config.cmd one --config.cmd 'two words' \
    --config.env A=image --config.env B=image --config.workingdir /srv/made/deep --config.user app
rm -r bundle
skopeo --tmpdir . copy oci:layout:app docker-archive:app.tar:app:1 > skopeo.log 2>&1
[ -e app.tar ] || comment_file "what skopeo says" skopeo.log
check "an archive as Docker makes it" test -e app.tar

whole='entry one two words as 1000:1001 of 1001 20 in /srv/made/deep, home /srv/app, A=image B=image'
run_exec --image oci:layout:app
is "$status $(cat out)" "7 $whole" "entry point, command, environment, directory and user are the image's" || comment_file errors "$errors"
is "$(cat "$errors")" error "its errors are on a stream of their own, which it can open, and nobody else has any"
run_exec --image docker-archive:app.tar --env A=mine --cwd /srv -- three
is "$status $(cat out)" "7 entry three as 1000:1001 of 1001 20 in /srv, home /srv/app, A=mine B=image" \
    "what is said instead counts, of an archive of Docker's" || comment_file errors "$errors"
run_exec --image oci:layout:app --user 0
like out '^entry one two words as 0:0 of 0 10 in /srv/made/deep, home /root,' "another user"
like out '^may write' "who may write"
run_exec --image oci:layout:app --user 4321:wheel --entrypoint /bin/sh -- -c 'busybox id -u; busybox id -G; echo $HOME; busybox cat /etc/owned 2> /dev/null || echo no'
is "$(cat out)" "$(printf '4321\n10\n/\nno')" "one who is not there, in a group by its name, and another entry point"
run_exec --image oci:layout:app --user nobody
is "$status" 127 "one of no name there is none"
like "$errors" '/etc/passwd has none of this name' "which is said"
run_exec --image oci:layout:bare -- /bin/sh -c 'busybox id -u; pwd; echo $PATH; busybox stat -c "%u:%g %a %F" /etc/owned /etc/null; busybox grep -c " / overlay " /proc/mounts'
is "$(cat out)" "$(printf '%s\n' 0 / /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin '1000:20 640 regular file' '0:0 644 character special file' 1)" \
    "an image that says nothing: root, with owners and devices as they are in it"
run_exec --image oci:layout:bare
is "$status" 240 "of which there is nothing to run"
like "$errors" 'has neither entry point nor command' "which is said"
run_exec --image oci:layout:foreign
is "$status" 240 "an image for other machines"
like "$errors" "its architecture is 'riscv64', and the guest's is arm64" "is none for this one"
is "$(find "$images" -name '*.new')" "" "and nothing half is left"

# What a guest does to it is gone.
before=$(find "$images" | sort | sha256sum)
inode=$(stat -c '%i %Z' "$images"/*/rootfs)
run_exec --image oci:layout:app --user 0 --entrypoint /bin/sh -- -c 'busybox rm -r /usr/lib /entry; echo x > /new; echo y > /etc/owned; busybox ls /'
unlike out '^entry$' "a guest changes it"
is "$(find "$images" | sort | sha256sum) $(cat "$images"/*/rootfs/etc/owned | sort -u) $(stat -c '%i %Z' "$images"/*/rootfs)" "$before owned $inode" \
    "and nothing of it is changed, nor unpacked again"

# eret run: on the console, with the status.
run_eret --kernel "$image" --memory 256M --image docker-archive:app.tar
is "$status" 7 "eret run ends with the status" || comment_file "the console" "$console"
is "$(tr -d '\r' < "$console" | grep '^entry')" "$whole" "of what has run on its console"
run_eret --kernel "$image" --memory 256M --image oci:layout:app --entrypoint /no/such
is "$status" 127 "127 where there is no such program"
like "$console" 'eret-init: /no/such: No such file' "which is said there"
run_eret --kernel "$image" --memory 256M --image oci:layout:app --entrypoint /bin/sh -- -c 'kill -9 $$'
is "$status" 137 "and 128 with a signal's number"
run_eret --kernel "$image" --memory 256M --image oci:layout:bare -- /bin/sh -c 'exit 0'
is "$status" 0 "0 is 0"
start_eret --kernel "$image" --memory 256M --image oci:layout:app --entrypoint /bin/sh
wait_console '/srv/made/deep \$ ' 120
send 'echo $((6 * 7)) times; busybox tty\n'
wait_console '^42 times' 30 && passed "a shell on the console"
wait_console '^/dev/ttyAMA0' 30 && passed "which is its terminal"
send 'sh -c "echo \$((50 + 5)) begun; exec busybox sleep 1000"\n'
wait_console '^55 begun' 30
send '\003'
wait_console '\^C' 30
send 'echo $((2 * 21 + 1)) awake; exit 3\n'
wait_console '^43 awake' 30 && passed "with job control"
finish_eret 60
is "$status" 3 "its status ends the machine"
start_eret --kernel "$image" --memory 256M --image oci:layout:app --entrypoint /bin/sh -- -c \
    'trap "echo stopped; exit 9" TERM; echo waiting; while :; do busybox sleep 1; done'
wait_console '^waiting' 120
kill "$pid"
finish_eret 60
is "$status" 9 "the power button is SIGTERM for it"
like "$console" '^stopped' "which it hears"

# Without virtiofsd: packed into memory.
mkdir tools
for tool in skopeo umoci; do
    printf '#!/bin/sh\nexec "%s/debian-13/bin/%s" "$@"\n' "$FIXTURES" $tool > tools/$tool
    chmod 755 tools/$tool
done
PATH=$PWD/tools:${PATH#*:}
if command -v virtiofsd > /dev/null || ls /usr/libexec/virtiofsd /usr/lib/qemu/virtiofsd > /dev/null 2>&1; then
    skip "without virtiofsd" "this host has one of its own"
    exit
fi
run_exec --memory 256M --image oci:layout:app
is "$status $(cat out)" "7 $whole" "without virtiofsd, too" || comment_file errors "$errors"
run_exec --memory 256M --image oci:layout:bare -- /bin/sh -c 'busybox grep -c virtiofs /proc/mounts; busybox stat -c "%u:%g %F" /etc/owned /etc/null'
is "$(cat out)" "$(printf '%s\n' 0 '1000:20 regular file' '0:0 character special file')" "packed, with owners and devices"
run_eret --kernel "$image" --memory 256M --image oci:layout:app
is "$status" 7 "and of eret run"
