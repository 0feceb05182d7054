#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `eret run IMAGE` as far as it goes without KVM: the plan, and what keeps it from a run. Prints TAP.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
eret=$root/build/native/eret
cd "$work" || exit

truncate -s 1M disk.img firmware
printf '\x55\xaa' | dd of=disk.img bs=1 seek=510 conv=notrunc status=none
printf 'QFI\xfb\0\0\0\3' > disk.qcow2
echo secret > password
# Programs that there are here, and no others.
mkdir bin
printf '#!/bin/sh\necho --fd --vhost-user\n' > bin/passt
chmod +x bin/passt

# run WORDS...
run() { PATH=$work/bin:/usr/bin:/bin "$eret" run --firmware firmware "$@" > out 2> err < "${input:-/dev/null}"; status=$?; }
# Of the plan, what the image brings with it.
plan_of() { sed -n 's/^\(memory .*\)/\1/p; s/.*\(virtio-[a-z]*[0-9]\) .*; /\1 /p' out; }

run --dry-run disk.qcow2 --disk disk.img,ro --password password
is "$(plan_of)" "memory    1024 MiB
virtio-blk0 disk.qcow2 (qcow2, copy-on-write)
virtio-blk1 disk.img (read-only)
virtio-blk2 what cloud-init is told (read-only)
virtio-net0 user network" "the image is the first disk, what cloud-init is told the last, and there is a network"
like err "^eret: 'disk.qcow2' stays as it is, and what the guest writes is gone with it; --persist writes it there$" "and what is surprising is said"
run --dry-run disk.img --persist --memory 512M --net none --cpus 2
is "$(plan_of)" "memory    512 MiB
virtio-blk0 disk.img (2 queues)" "what the user says counts"
is "$(cat err)" "" "and there is nothing to say of it"
echo '{"system": "disk.img", "persist": true, "memory": "512M", "net": "none", "cpus": 2}' > vm.json
cp out wanted
run --dry-run --config vm.json
cmp -s out wanted
result $? "a description file says the same" err out

# What is missing is said before there is a machine.
rm bin/passt
for tool in mformat mcopy; do
    PATH=$work/bin "$eret" run --firmware firmware disk.img --net none --password password > out 2> err < /dev/null
    is "$?" 1 "without $tool: status 1"
    like err "mtools, of which $tool is not installed; install it \(Debian: apt install mtools\)" "and which package has it"
    ln -s /bin/true "bin/$tool"
done
run disk.img --net none --password -
is "$status" 1 "a password that is not there: status 1"
like err "^eret: --password: there is no password in its first line$" "and what is wrong"
{ head -c 300 /dev/zero | tr '\0' x; echo; } > long
input=long run disk.img --net none --password -
like err "^eret: --password: its first line is too long for a password" "nor is one that is too long"
input=/dev/zero run disk.img --net none --password -
like err "^eret: --password: its first line is too long for a password" "nor one without an end"
plan
