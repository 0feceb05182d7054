#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The way of ssh to a guest: what it is started with, a connection that goes to port 22 of the guest's vsock and is ssh's own, by local
# sockets and by those of the host's kernel; and what is said where there is no such way. With a program in ssh's place; tests/long/debian-ssh.sh
# has the real one, and systemd.
# limit: 900
# shellcheck source=tests/host/lib.sh
. "$LIB"
patience=200  # seconds: how long a step may take before it counts as hung
XDG_RUNTIME_DIR=$PWD/run XDG_DATA_HOME=$PWD/data
export XDG_RUNTIME_DIR XDG_DATA_HOME
mkdir -m 700 run
mkdir bin
ln -s "$FIXTURES/fake-ssh" bin/ssh
key='ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g'
echo "$key me@here" > key.pub
head -c 300000 /dev/urandom > data.in

checksum() { sum=$(sha256sum "$1"); echo "${sum%% *}"; }
# ssh_to INPUT ARGUMENT...: eret ssh, with bin/ssh
ssh_to() {
    from=$1
    shift
    PATH=$PWD/bin:$PATH timeout "$patience" "$ERET" ssh "$@" < "$from" > ssh.out 2> ssh.errors 3>&- 4>&-
}

start_boot ssh,3 --name vm --ssh=key.pub
wait_console 'GUEST ready' $patience || exit
is "$(guest file)" "$key" "systemd would find the key in a credential, for root's file"
is "$(guest anybody)" "$key" "and in one for any user"
check "the machine's vsock is beside its console" test -S run/eret/vm/vsock
ssh_to /dev/null --wait 0 vm
is "$?" 255 "where nobody listens, ssh is not connected"
like ssh.errors "eret: nobody listened on port 22 of the vsock of 'vm' for 0 s: the guest needs systemd 256 or newer with sshd" "it is said why"
(sleep 2 && send 'listen\n') &
ssh_to data.in --wait "$patience" me@vm -x 'two words' --wait
is "$?" 7 "a guest that listens later is waited for; the status is ssh's"
is "$(checksum ssh.out)" "$(checksum data.in)" "what is sent comes back, each half to its end"
{
    printf '%s\n' -F "$PWD/run/eret/vm/ssh_config" -o "ProxyCommand='$ERET' ssh --proxy --wait $patience vm" -l me vm.eret -x 'two words' --wait
} > wanted
check "ssh was told the file, who logs in, where, and the rest as it was" cmp arguments wanted
ssh_to data.in -l you vm
is "$?:$(sed -n 6p arguments)" "7:you" "once more, with another user"
PATH=$PWD/bin:$PATH ssh -F run/eret/vm/ssh_config vm.eret < data.in > ssh.out 2> ssh.errors 3>&-
is "$?:$(checksum ssh.out)" "7:$(checksum data.in)" "by the file alone it is reached as well"
"$ERET" ssh --proxy vm > not-a-socket 2> ssh.errors
is "$?" 1 "the proxy alone has nobody to hand the connection to"
like ssh.errors 'standard output is no socket' "which it says"
finish_eret $patience
is "$status:$(guest echoed)" "0:0" "the guest saw each connection end well"
is "$(ls run/eret)" "" "nothing is left of the machine"

ssh_to /dev/null vm
is "$?" 1 "there is no such machine any more"
like ssh.errors "there is no machine named 'vm'" "it is said"

start_boot console-echo --name plain
wait_console 'GUEST ready' $patience || exit
ssh_to /dev/null plain
is "$?" 1 "a machine without vsock"
like ssh.errors "the machine 'plain' has no vsock, by which its guest could be reached: start it with --ssh" "is none for ssh"
"$ERET" stop plain --force

finish_eret $patience
start_boot ssh,1 --name vm --vsock auto,unix=given
wait_console 'GUEST ready' $patience || exit
is "$(guest file)$(guest anybody)" "" "without --ssh the guest is told nothing"
PATH=/no/such "$ERET" ssh vm > ssh.out 2> ssh.errors
is "$?" 1 "without ssh: status 1"
like ssh.errors 'ssh is not installed' "and what to install"
send 'listen\n'
ssh_to data.in vm
is "$?:$(checksum ssh.out)" "7:$(checksum data.in)" "its vsock is a way for ssh, too"
unlike run/eret/vm/ssh_config 'Identity' "with the keys that ssh finds"
finish_eret $patience

if [ "$(id -u)" = 0 ] && [ -e /dev/vhost-vsock ]; then
    start_boot ssh,1 --name vm --ssh=key.pub --vsock auto
    wait_console 'GUEST ready' $patience || exit
    "$ERET" ps --json | tr -d ' \n' > ps.json
    like ps.json '"vsock":\{"cid":[0-9]+\},"ssh":true' "eret ps tells where the guest's sockets are, and that there is a key"
    ssh_to /dev/null --wait 1 vm
    is "$?" 255 "sockets of the host's kernel: nobody listens yet"
    send 'listen\n'
    ssh_to data.in vm
    is "$?:$(checksum ssh.out)" "7:$(checksum data.in)" "and then somebody does"
    finish_eret $patience
    is "$status" 0 "the guest ends well"
else
    skip "by sockets of the host's kernel" "no root, or no vhost_vsock"
fi

as="env PATH=/no/such"
run_eret --name vm --ssh --kernel "$KERNELS/6.12/Image"
as=
is "$status" 1 "without ssh-keygen there is no key of eret's own: status 1"
like "$errors" 'ssh-keygen, which makes the key for guests, is not installed' "and what to do"
is "$(ls run/eret)" "" "the name is free"
