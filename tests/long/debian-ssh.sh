#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Debian 13 in a guest without a network: systemd's generator has its sshd listen on vsock, root is let in by the key that eret made, and
# OpenSSH of the host logs in by eret ssh.
# limit: 1500
# shellcheck source=tests/host/lib.sh
. "$LIB"
short_runtime_directory
XDG_DATA_HOME=$PWD/data PATH=$PATH:$DEBIAN_ROOT/bin
export XDG_DATA_HOME
cp "$DEBIAN_ROOT/root.ext4" root.ext4
head -c 1000000 /dev/urandom > data.in
ssh_to() { "$ERET" ssh --wait 900 "$@" 2> ssh.errors 3>&- 4>&-; }

# systemd's own patience is made for silicon.
start_eret --name debian --ssh --kernel "$KERNELS/6.12/Image" --initrd "$KERNELS/6.12/initrd" \
    --append "quiet eret.mode=root systemd.default_timeout_start_sec=900 systemd.service_watchdogs=no" \
    --disk root.ext4 --cpus 2 --memory 512M --rng
until "$ERET" ps | grep -q '^debian ' || ! running "$pid"; do sleep 0.2; done
# shellcheck disable=SC2016  # for the guest's shell
ssh_to debian 'cat /proc/1/comm; id -un; ls /sys/class/net; exit 3' < /dev/null > out
got=$?
[ "$got" = 3 ] || comment_file "ssh's messages" ssh.errors
is "$got" 3 "a command runs in the guest, and its status is that of eret ssh" || exit
is "$(tr '\n' ' ' < out)" "systemd root lo " "root is logged in, on systemd, without a network"
ssh_to debian cat /root/.ssh/authorized_keys < /dev/null > out
is "$(cat out)" "$(cut -d ' ' -f 1,2 data/eret/ssh/id_ed25519.pub)" "systemd has written the key of eret's own into root's file"
ssh_to debian systemctl list-units --plain --no-legend 'sshd*' < /dev/null > units
like units '^sshd-vsock\.socket +loaded active' "it is systemd's generator that has sshd listen"
ssh_to debian systemctl is-system-running --wait < /dev/null > out
[ "$(cat out)" = running ] || { ssh_to debian systemctl --failed --no-legend < /dev/null > units; comment_file "what has failed" units; }
is "$(cat out)" running "the guest's systemd has come to rest, and nothing has failed"
ssh_to debian sha256sum < data.in > out
is "$(cat out)" "$(sha256sum < data.in)" "a MB comes there unchanged"
ssh_to debian cat < data.in > out
check "and back" cmp data.in out
is "$(grep -c '^debian.eret ' "$XDG_RUNTIME_DIR/eret/debian/known_hosts")" 1 "its host key was learnt once"
"$ERET" ps --json > ps.json
like ps.json '"ssh" : true' "eret ps tells that there is a key"
ssh_to nobody@debian true < /dev/null > out
is "$?" 255 "another user has no key there"
like ssh.errors 'Permission denied' "which ssh says"
ssh_to debian systemctl poweroff < /dev/null > out
finish_eret 300
is "$status" 0 "and powers off"
is "$(ls "$XDG_RUNTIME_DIR/eret")" "" "nothing is left"
