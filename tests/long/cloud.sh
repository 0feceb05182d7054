#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Cloud images by one command: Debian 13 and 12 with cloud-init, as qcow2 above another, boot by UEFI; who has the key
# logs in over the network, who has the password on the console; the host's name is the image's. Nothing of the image is
# changed, but with --persist; then cloud-init does its work once, and again where it is told something else.
# limit: 14400
# serial
# root
# shellcheck source=tests/host/lib.sh
. "$LIB"
# shellcheck source=tests/host/lib-net.sh
. "${LIB%.sh}-net.sh"
# qemu-img, qemu-storage-daemon, passt and mtools as Debian 13 has them, and OpenSSH.
PATH=$FIXTURES/debian-13/bin:$DEBIAN_ROOT/bin:$PATH
own_network
long=$((8 * patience)) # for a whole boot of Debian's, and all that cloud-init does

ssh-keygen -q -t ed25519 -N '' -f key
echo geheim > password
printf '#cloud-config\nruncmd: [[sh, -c, "echo ran >> /var/log/ran"]]\n' > user-data
sums() { sha256sum "$@" | cut -d ' ' -f 1 | tr '\n' ' '; }

# make_images RELEASE: base.qcow2, and web.qcow2 above it.
make_images() {
    rm -f base.qcow2 web.qcow2 known
    qemu-img convert -f raw -O qcow2 "$DEBIAN_CLOUD/$1/cloud.img" base.qcow2 &&
        qemu-img create -q -f qcow2 -b base.qcow2 -F qcow2 web.qcow2
}
# cloud OPTION...: in the background.
cloud() {
    start_eret --firmware "$FIRMWARE/trixie/AAVMF_CODE.fd" --net user,forward=127.0.0.1:2222:22 --cpus 2 --rng --ssh-key key.pub "$@" \
        web.qcow2,backing=base.qcow2
}
in_guest() {
    ssh -F none -p 2222 -i key -o IdentitiesOnly=yes -o BatchMode=yes -o StrictHostKeyChecking=accept-new -o UserKnownHostsFile=known \
        -o ConnectTimeout=60 debian@127.0.0.1 "$@" < /dev/null 2>> ssh.errors 3>&- 4>&-
}
# reached WHAT: until its sshd lets in who has the key.
reached() {
    deadline=$(($(date +%s) + long))
    : > ssh.errors
    until in_guest true; do
        if ! running "$pid" || [ "$(date +%s)" -ge "$deadline" ]; then
            comment_file "ssh's messages" ssh.errors
            failed "$1: whoever has the key logs in over the network"
            return 1
        fi
        sleep 5
    done
    passed "$1: whoever has the key logs in over the network"
}
# settled WHAT: cloud-init has done all that it does, and nothing has failed.
settled() {
    in_guest cloud-init status --wait --long > settled
    grep -qs '^status: done' settled || comment_file "what cloud-init says" settled
    is "$(sed -n 's/^status: //p' settled)" "done" "$1: cloud-init has done its work"
}
instance() { in_guest cloud-init query v1.instance_id; }
leave() {
    in_guest sudo poweroff
    finish_eret "$long"
    is "$status" 0 "$1: Debian powers off, status 0"
    unlike "$errors" 'passt (has closed|ended)' "$1: firmware and system have had one network"
}

# As it is: the image and what backs it stay as they are.
copy_on_write() {
    before=$(sums base.qcow2 web.qcow2)
    cloud --password password
    reached "$1" || return
    settled "$1"
    is "$(in_guest hostname)" web "$1: the host's name is that of the image"
    first=$(instance)
    echo "$first" > instance
    like instance '^eret-[0-9a-f]{16}$' "$1: its instance is eret's"
    is "$(in_guest cat /sys/class/dmi/id/sys_vendor)" eret "$1: ACPI and SMBIOS came by UEFI"
    is "$(in_guest findmnt -n -o SOURCE /)" /dev/vda2 "$1: the image is the first disk"
    is "$(in_guest cat /sys/block/vdb/ro)" 1 "$1: what it was told is on the second, which is read-only"
    wait_console 'web login: ' "$patience" && send 'debian\n' && wait_console 'Password: ' "$patience" && send 'geheim\n' &&
        wait_console 'debian@web:' "$long" && passed "$1: whoever has the password logs in on the console"
    in_guest 'echo written > written; sync'
    leave "$1"
    like "$errors" "'web.qcow2' stays as it is, .*--persist" "$1: it is said that what was written is gone"
    is "$(sums base.qcow2 web.qcow2)" "$before" "$1: the image is as it was, and so is what backs it"
}

# What is written stays, and what cloud-init does once for an instance.
persistent() {
    before=$(sums base.qcow2)
    rm -f known # its host key went with what was written
    cloud --persist --password password --cloud-init user-data=user-data
    reached "$1, first boot" || return
    settled "$1, first boot"
    is "$(in_guest cat written)" "" "$1: what was written before is gone"
    first=$(instance)
    is "$(in_guest cat /var/log/ran)" ran "$1: the user's own file was run"
    in_guest sudo getent shadow debian > shadow-line
    like shadow-line '^debian:[$]6[$]' "$1: and the password is beside it"
    in_guest 'echo kept > kept; sync'
    leave "$1, first boot"

    cloud --persist --password password --cloud-init user-data=user-data
    reached "$1, second boot" || return
    settled "$1, second boot"
    is "$(in_guest cat kept)" kept "$1: what was written is there"
    is "$(instance) $(in_guest cat /var/log/ran | tr '\n' ' ')" "$first ran " "$1: it is the same instance, for which nothing is done again"
    unlike ssh.errors 'REMOTE HOST IDENTIFICATION HAS CHANGED' "$1: with the same host key"
    leave "$1, second boot"

    echo '# changed' >> user-data
    rm known # keys are made anew for an instance
    cloud --persist --password password --cloud-init user-data=user-data
    reached "$1, told something else" || return
    settled "$1, told something else"
    isnt "$(instance)" "$first" "$1: it is another instance"
    is "$(in_guest cat /var/log/ran | tr '\n' ' ')" "ran ran " "$1: for which cloud-init does its work again"
    leave "$1, told something else"
    is "$(sums base.qcow2)" "$before" "$1: what backs the image is as it was"
}

# What is said of an image that cannot be had, before there is a machine.
refused() {
    run_eret --firmware "$FIRMWARE/trixie/AAVMF_CODE.fd" --net none "$1"
    is "$status" "$2" "$3: status $2"
    like "$errors" "$4" "$3: it is said why"
}

make_images 13 || exit
refused web.qcow2 1 "an image with another behind it" "disk image web\\.qcow2 is backed by '.*base\\.qcow2', .*',backing=.*base\\.qcow2'"
cp web.qcow2 web.img
refused web.img,backing=base.qcow2 2 "an image of another name" "is a qcow2 image by its content, and not by its name"
rm web.img
copy_on_write "Debian 13"
persistent "Debian 13, --persist"
make_images 12 || exit
copy_on_write "Debian 12"
