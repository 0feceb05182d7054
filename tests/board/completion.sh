#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The completion of bash, driven as bash drives it: options where options can stand, values where a value is due, and
# nothing of either behind "--". That it knows every option is a unit test's to see. Prints TAP.
set -u
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=docs/eret.bash-completion
. docs/eret.bash-completion
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
touch file.ini 'two words'
mkdir directory commas
touch commas/a,b commas/c
n=0

# completes WANTED WORD...: the last word is at hand; WANTED are the candidates, in their order, separated by a space.
completes() {
    local wanted=$1 output
    shift
    COMP_WORDS=(eret "$@")
    COMP_CWORD=$#
    _eret
    output=$(printf '%s\n' "${COMPREPLY[@]}" | LC_ALL=C sort | paste -sd' ')
    n=$((n + 1))
    if [ "$output" = "$wanted" ]; then
        echo "ok $n - ${*@Q}: ${wanted:-nothing}"
    else
        echo "not ok $n - ${*@Q}: ${wanted:-nothing}"
        echo "# offered: $output"
    fi
}

files="commas directory file.ini two words"

# Options.
completes "--gic --grace" run --g
completes "--copy-in --copy-out --copy-out-limit" exec --copy
completes "--tag --tap" test --ta
completes "--json" doctor --j
completes "dump" cpu du
completes "--common" cpu diff --c
completes "--output" cpu dump --o

# Commands, and whose help there is.
completes "exec" ex
completes "trace" help tr
completes "attach cpu doctor exec help jail ps run ssh stop test trace version" help ""
completes "" help run ""

# The value of --image, which bash breaks at its colon.
completes "docker-archive: docker:// oci-archive: oci:" run --image ""
completes "oci-archive: oci:" run --image o
completes "//" run --image docker :

# Where a value is due there is no option, whether its values are known or not, and whatever it begins with.
for option in append cpus cpu grace hypercall ipa-bits pin smccc; do
    completes "" run "--$option" --
    completes "" run "--$option" = --
done
for option in env cwd timeout boot-timeout module copy-out-limit append; do
    completes "" exec "--$option" --
done
for option in filter tag skip-tag shard define repeat jobs; do
    completes "" test "--$option" --
    completes "" test "--$option" fil
    completes "" test "--$option" = fil
done
completes "" test -j fil
completes "" cpu dump --cpu --
completes "$files" cpu diff --common ""
completes "file.ini" cpu dump -o fil
completes "file.ini" test --junit = fil
completes "$files" trace --symbols ""
completes "auto" run --gic = a
completes "auto" run --pin ""
completes "--stats" run --dry-run --sta
completes "e2h0" run --nested = e
completes "--gic" run --nested --gi
completes "$files" test tag ""
completes "--allow-flaky --github --help --json --junit --tap" test merge --
completes "--tag --tap" test mergers --ta
completes "--tag --tap" test merge.ini --ta
completes "file.ini" test merge fil
completes "file.ini" run fil
completes "file.ini" test merge --json fil
completes "file.ini" run --stats = fil
completes "--gic" run --append --append --gi

# The parts of a value, whose words bash breaks at "=" and ":"; a comma is none of its breaks.
completes "tap=" run --net t
completes "bootindex= fd= forward= mac= mtu= none queues= restrict tap= unix= user vhost=" run --net ""
completes "user,mac= user,mtu=" run --net user,m
completes "user,mac= user,mtu=" run --net = user,m
completes "auto off on" run --net tap = tap0,vhost = ""
completes "off on" run --net = tap = tap0,vhost = o
completes "off" run --net tap = tap0,restrict = of
completes "file.ini" run --net unix = fil
completes "tap0,vhost=" run --net tap = tap0,v
completes "80,restrict" run --net user,forward = 127.0.0.1 : 8080 : 80,re
completes "" run --net user,forward = 8080 : ""
completes "" run --net tap = ta
completes "--rng" run --net user,forward = 8080 : 80 --rn
completes "--rng" run --net tap = tap0,vhost = off --rn
completes "type=" run --device t
completes "rng" run --device vhost-user = s.sock,type = r
completes "s.sock,queues=" run --device vhost-user = s.sock,q
completes "file.ini" run --disk fil
completes "file.ini,serial=" run --disk file.ini,s
completes "file.ini,cow" run --disk file.ini,c
completes "qcow qcow2" run --disk file.ini,format = qc
completes "file.ini" run --disk x.qcow2,format=qcow2,backing = fil
completes "file.ini,,b,ro" run --disk file.ini,,b,r
completes "auto" run --vsock a
completes "auto,unix=" run --vsock auto,
completes "file.ini" run --vsock 3,unix = fil
completes "host" cpu dump --cpu h
completes "host,sve-vl= host,sve=" run --cpu host,sv
completes "auto off on" run --cpu host,pmu = ""
completes "trng" run --smccc deny = t
completes "psci ptp pvtime" run --smccc forward = p
completes "forward=trng" run --smccc forward=t
completes "auto commas directory file.ini two words" run --firmware ""
completes "auto" run --firmware a
completes "auto,vars=" run --firmware auto,
# Where a comma separates parts, one in a path is doubled; elsewhere it is not.
completes "commas/a,,b commas/c" run --disk commas/
completes "commas/a,,b" run --disk commas/a,,
completes "commas/a,,b" run --dtbo commas/a
completes "commas/a,,b,bootindex=" run --disk commas/a,,b,bo
completes "name=opt/x,file=commas/a,,b" run --fw-cfg name=opt/x,file=commas/a
completes "commas/a,,b" run --fw-cfg name = opt/x,file = commas/a,,
completes "commas/a,b commas/c" run --kernel commas/
completes "commas/a,b" run --initrd commas/a,
completes "/x,timeout=" run --hypercall 0xc6000000 = unix : /x,
# Machines, by a program of that name.
# shellcheck disable=SC2317  # the completion runs it
eret() { printf 'NAME STATE\n%s running\n' web wire db; }
completes "web wire" attach w
completes "web wire" ssh w
completes "web wire" ssh --wait 5 w
completes "web wire" ssh --wait = 5 w
completes "web wire" ssh -l me w
completes "" ssh --wait w
completes "--wait" ssh --w
completes "" ssh web w
completes "" ssh --proxy web --w
unset -f eret

# Behind "--" is the guest's command, or a file's name.
completes "" exec --rng -- --
completes "" exec -- sh --gi
completes "" exec -- sh ""
completes "" exec -- cmd --append ""
completes "" exec --cpus 2 -- nproc --memory ""
completes "file.ini" test -- fil
completes "" test -- --ta
completes "" run -- --

# Unless it is a value, or a part of one.
completes "--gic" exec --append -- --gi
completes "--gic" exec --append = -- --gi
completes "--verbose" exec --cwd -- --verb

echo "1..$n"
