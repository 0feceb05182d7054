#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The guest's CPU: features on and off, templates that take some away, what is refused, and eret cpu.
# limit: 900
# shellcheck source=tests/host/lib.sh
. "$LIB"

features="grep -m 1 Features /proc/cpuinfo; ls /sys/bus/event_source/devices"

"$ERET" cpu dump -o host.json 2> "$errors" 3>&-
is "$?" 0 "eret cpu dump: status 0"
like host.json '"ID_AA64ISAR0_EL1"' "it has registers"
like host.json '"PARange" : [0-9]' "with fields"
"$ERET" cpu dump --cpu host,pmu=off 2>> "$errors" 3>&- > no-pmu.json
"$ERET" cpu diff host.json no-pmu.json 2>> "$errors" 3>&- > difference
pmu=
if grep -q '^ID_AA64DFR0_EL1.PMUVer ' difference; then pmu=1; fi
is "$("$ERET" cpu diff host.json host.json 2>&1 3>&-)" "" "a dump does not differ from itself"

run_exec --cpus 2 -- sh -c "$features"
is "$status" 0 "the CPU as it is: status 0"
if grep -q '"Atomic" : [1-9]' host.json; then like out 'atomics' "it has atomics"; else unlike out 'atomics' "it has no atomics"; fi
cp out plain
if [ "$pmu" ]; then
    like out 'armv8_pmuv3' "it has a PMU"
    run_exec --cpu host,pmu=on -- sh -c "$features; dmesg | grep -i 'pmu'"
    like out 'armv8_pmuv3' "pmu=on: it has one"
    run_exec --cpus 2 --psci user -- sh -c "$features"
    if grep -q 'needs KVM.s SMCCC filter' "$errors"; then
        skip "with PSCI in eret too" "this host's kernel has no SMCCC filter"
    else
        like out 'armv8_pmuv3' "with PSCI in eret too"
    fi
else
    skip "it has a PMU" "this host has none for guests"
fi
run_exec --cpu host,pmu=off -- sh -c "$features"
is "$status" 0 "pmu=off: status 0"
unlike out 'armv8_pmuv3' "and there is no PMU"

# A whole dump is a template that changes nothing.
run_exec --cpu-template host.json -- sh -c "$features"
is "$status" 0 "the host's own template: status 0"
is "$(cat out)" "$(cat plain)" "and nothing changes"

echo '{"name": "no atomics", "registers": {"ID_AA64ISAR0_EL1": {"Atomic": 0}}}' > no-atomics.json
run_exec --cpus 2 --cpu-template no-atomics.json -- sh -c "cat /proc/cpuinfo"
if ! grep -q '"Atomic" : [1-9]' host.json; then
    skip "a template without atomics" "this CPU has none to take away"
elif grep -q 'Atomic cannot be 0: .* lets no ID register be changed' "$errors"; then
    is "$status" 240 "a kernel that lets no ID register be changed"
else
    is "$status" 0 "a template without atomics: status 0"
    unlike out 'atomics' "and the guest has none, on any CPU"
    like out 'Features' "but other features"
    "$ERET" cpu dump --cpu-template no-atomics.json -o lower.json 2>> "$errors" 3>&-
    "$ERET" cpu diff host.json lower.json --common common.json > difference 2>> "$errors" 3>&-
    like difference '^ID_AA64ISAR0_EL1.Atomic +[23] +0$' "eret cpu diff shows it"
    is "$(wc -l < difference)" 1 "and nothing else"
    is "$("$ERET" cpu diff common.json lower.json 3>&-)" "" "what is common to both has none"
fi

echo '{"registers": {"ID_AA64ISAR0_EL1": {"Atomic": 15, "AES": 15}, "ID_AA64MMFR0_EL1": {"SNSMem": 9}}}' > raise.json
run_exec --cpu-template raise.json -- true
is "$status" 240 "a template that raises: the machine cannot be made"
is "$(grep -c 'a template can only lower that' "$errors")" 3 "each field is named"

if [ "$KIND" = k73-cpu ]; then
    like plain ' paca pacg .*' "pointer authentication, by itself"
    like plain ' sve( |$)' "scalable vectors, by themselves"
    unlike plain ' mte( |$)' "but no memory tagging"
    run_exec --cpus 2 --cpu host,sve=off,pauth=off,mte=on -- sh -c "$features"
    is "$status" 0 "the other way round: status 0"
    unlike out ' (sve|paca)( |$)' "neither of the two"
    like out ' mte( |$)' "and memory tagging"
    length='cat /proc/sys/abi/sve_default_vector_length'
    run_exec -- sh -c "$length"
    is "$(cat out)" 64 "vectors of 512 bits"
    run_exec --cpus 2 --psci user --cpu host,sve=on,sve-vl=256 -- sh -c "$length"
    is "$(cat out)" 32 "sve-vl=256: of 256 bits at most"
    run_exec --cpu host,sve-vl=256:512 -- sh -c "$length"
    is "$status" 240 "lengths that KVM cannot leave out"
    like "$errors" 'sve-vl=128:256:384:512 is what comes nearest' "which is said"
    run_exec --cpu host,sve-vl=1024 -- sh -c "$length"
    like "$errors" "this host's vectors are 128:256:384:512 bits long" "a length that is not there"
fi

run_exec --cpu host,sve=on,pauth=on,mte=on -- sh -c "$features"
if [ "$KIND" = gicv3 ] || [ "$KIND" = gicv2 ]; then
    is "$status" 240 "features that this host does not have"
    like "$errors" 'cpu sve=on: KVM on this host gives guests no .*FEAT_SVE.*CONFIG_ARM64_SVE' "SVE: what it needs"
    like "$errors" 'cpu mte=on: KVM on this host gives guests no .*FEAT_MTE2' "MTE: what it needs"
else
    skip "features that this host does not have" "it may have them"
fi
