#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# eret test: every kernel on every number of processors and console, the verdict on each way to fail, and the reports.
# limit: 1800
# serial
# shellcheck source=tests/host/lib.sh
. "$LIB"

# run_test OPTION...: leaves $status, and the streams in out and $errors.
run_test() {
    new_guest "$@"
    "$ERET" test --define "KERNELS=$(realpath "$KERNELS")" --define "FIXTURES=$(realpath "$FIXTURES")" "$@" > out 2> "$errors" 3>&- < /dev/null
    status=$?
}

# tap FILE: each point of a TAP stream becomes a result of ours.
tap() {
    while IFS= read -r line; do
        case $line in
        'ok '*) passed "${line#ok * - }" ;;
        'not ok '*) failed "${line#not ok * - }" ;;
        esac
    done < "$1"
}

run_test --tap -j 2 --logs logs --junit junit.xml --json kernels.json "$SUITES/kernels.ini"
is "$status" 0 "three kernels by three numbers of processors by two consoles"
tap out
is "$(grep -c '^ok ' out)" 18 "these are 18 cases"
like out '^1\.\.18$' "as planned"
like junit.xml '<testsuite .*tests="18".*failures="0"' "JUnit has them"
like 'logs/kernels.boots[kernel=6.1,cpus=4,console=virtio].log' 'console=hvc0|standard output' "each has a log"
like "$errors" '18 passed' "the summary counts them"
like "$errors" 'kernel' "and has the boot's parts"

# Every case of this suite fails, but for two, each in its own way.
run_test -j 2 --json verdicts.json --logs logs "$SUITES/verdicts.ini"
is "$status" 1 "a suite that fails: status 1"
verdict() { # CASE KIND REGEX
    case $2 in
    passed) want="^passed +verdicts/$1 " ;;
    skipped) want="^skipped +verdicts/$1.*$3" ;;
    *) want="^FAILED +verdicts/$1 .*$3" ;;
    esac
    like out "$want" "verdict on $1: $2"
}
verdict passes passed
verdict status failed 'the command ended with status 3'
verdict killed failed 'the command ended with status 137'
verdict no-command failed 'the command cannot be run: no-such-command'
verdict panic failed 'guest panic: sysrq triggered crash'
verdict oops failed 'guest oops: Oops'
verdict reset failed 'the guest was reset, without a panic'
verdict boot-timeout failed 'did not reach init within 15 s'
verdict timeout failed 'the command did not end within 5 s'
verdict out-of-memory failed 'the guest ran out of memory'
verdict no-driver failed 'a driver is missing'
verdict no-result failed 'powered off before its command had ended'
verdict says-too-little failed "nothing in its output is like 'two'"
verdict says-too-much failed "standard output has 'one two', which 't.o' rejects"
verdict console-says-too-much failed "console has .*a bad thing happened"
verdict too-much-output failed 'it wrote more than 256K on its standard output'
is "$(wc -c < logs/verdicts.too-much-output.stdout)" 262144 "and what it wrote first is kept"
verdict subtests failed '1 of 3 subtests failed'
verdict subtests-missing failed 'its test plan was not kept'
verdict skipped skipped 'no-such-file'
for outcome in panic oops reset boot-timeout timeout out-of-memory no-driver no-result too-much-output; do
    like verdicts.json "\"outcome\" : \"$outcome\"" "the results have the outcome $outcome"
done
like out '1 passed, 17 failed, 1 skipped' "the summary"
like out 'sysrq_handle_crash' "with the crash's fingerprint"

run_test -j 2 "$SUITES/expected.ini"
is "$status" 0 "where that is what is expected, it passes"
like out '^passed +expected/panic' "a panic that is expected"

# Shards, brought together again.
run_test --shard 1/2 --json part1.json "$SUITES/expected.ini"
run_test --shard 2/2 --json part2.json "$SUITES/expected.ini"
"$ERET" test merge --junit merged.xml part1.json part2.json > out 2> "$errors"
is "$?" 0 "two shards, merged"
like out '4 passed' "have all cases"
"$ERET" test merge part1.json > out 2> "$errors"
is "$?" 1 "a shard that is missing: status 1"
like "$errors" 'shard' "a shard that is missing is missed"

run_test --repeat 3 -j 2 --filter 'expected/not-there' "$SUITES/expected.ini"
is "$status" 0 "three times the same"
is "$(grep -c '^passed' out)" 3 "are three results"
run_test --fail-fast -j 1 --filter 'verdicts/(status|passes|panic)' "$SUITES/verdicts.ini"
is "$status" 1 "--fail-fast: status 1"
like out '^skipped .*panic.*--fail-fast' "what was not run is said to be so"

run_test --list --filter 'cpus=4' "$SUITES/kernels.ini"
is "$(wc -l < out)" 6 "--list, --filter"
run_test --list --filter 'cpsu=4' "$SUITES/kernels.ini"
is "$status" 2 "a filter that finds nothing: 2"
like "$errors" "--filter: 'cpsu=4' is found in the name of no case; there is kernels/boots" "with what there is"
printf '[a]\ncpus = none\nkernle = x\n' > bad.ini
run_test bad.ini
is "$status" 2 "mistakes in a suite: 2"
like "$errors" 'bad.ini:2: .*--cpus' "with file and line"
like "$errors" "bad.ini:3: .*did you mean kernel" "and advice"

# Interrupted: what ran is let go, what did not run says so.
new_guest interrupted
"$ERET" test --define "KERNELS=$(realpath "$KERNELS")" --define "FIXTURES=$(realpath "$FIXTURES")" -j 1 --filter 'timeout|passes' \
    "$SUITES/verdicts.ini" > out 2> "$errors" 3>&- < /dev/null &
pid=$!
sleep 4
kill -TERM "$pid"
finish_eret 60
is "$status" 4 "interrupted: status 4"
like out 'interrupted' "and said"

if [ "$KIND" = native ]; then
    skip "without KVM" "this machine has it"
else
    chmod 600 /dev/kvm
    mv /dev/kvm /dev/kvm.away
    run_test "$SUITES/expected.ini"
    mv /dev/kvm.away /dev/kvm
    is "$status" 77 "without KVM: 77"
    like out '^skipped +expected/panic: .*/dev/kvm' "every case is skipped, with the reason"
    mv /dev/kvm /dev/kvm.away
    run_test --require-kvm "$SUITES/expected.ini"
    mv /dev/kvm.away /dev/kvm
    is "$status" 1 "unless KVM is required"
fi
