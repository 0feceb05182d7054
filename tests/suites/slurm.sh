#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A suite over a cluster: a Slurm of one node, of this test's own, runs it as a job array with a shard a task, as docs/ci.md has it; then the shards' results are one report.
# The node has one processor, so the tasks run one after the other: where this machine has no KVM of its own, each is in an emulated host.
set -u
cd "$(dirname "$0")/../.." || exit
# shellcheck source=tests/host/where.sh
. tests/host/where.sh

n=0
failures=0
result() { # ok|"not ok" TEXT
    n=$((n + 1))
    [ "$1" = ok ] || failures=$((failures + 1))
    echo "$1 $n - $2"
}
is() { # GOT WANTED TEXT
    if [ "$1" = "$2" ]; then result ok "$3"; else result 'not ok' "$3"; echo "# got '$1', not '$2'"; fi
}
like() { # FILE REGEX TEXT
    if grep -qE "$2" "$1"; then result ok "$3"; else result 'not ok' "$3"; sed 's/^/# /' "$1"; fi
}
skip_all() { echo "1..0 # SKIP $*"; exit 0; }

PATH=$PATH:/usr/sbin:/sbin
for program in slurmctld slurmd sbatch; do command -v "$program" > /dev/null || skip_all "there is no $program here"; done
[ "$(id -u)" = 0 ] || skip_all "slurmd wants to be root"

root=$PWD
build=$root/build
work=$(mktemp -d "$build/.slurm.XXXXXX")
daemons=()
# What is called by the trap. shellcheck disable=SC2317
clean_up() {
    [ ${#daemons[@]} = 0 ] || kill "${daemons[@]}" 2> /dev/null
    wait 2> /dev/null
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

# --- the cluster ---------------------------------------------------------------------------------------------------------------------

host=$(hostname -s)
first_port=$((20000 + $$ % 10000 * 4))
export SLURM_CONF=$work/slurm.conf
mkdir "$work/state" "$work/spool"
cat > "$SLURM_CONF" << EOF
ClusterName=eret
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$first_port
SlurmdPort=$((first_port + 1))
SlurmUser=root
AuthType=auth/none
CredType=cred/none
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
SlurmctldLogFile=$work/slurmctld.log
SlurmdLogFile=$work/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
NodeName=$host NodeAddr=127.0.0.1 CPUs=1 State=UNKNOWN
PartitionName=all Nodes=$host Default=YES MaxTime=INFINITE State=UP
EOF
slurmctld -D -f "$SLURM_CONF" > "$work/slurmctld.out" 2>&1 &
daemons+=($!)
slurmd -D -f "$SLURM_CONF" > "$work/slurmd.out" 2>&1 &
daemons+=($!)
for ((i = 0; i < 120; i++)); do
    [ "$(sinfo -h -o %T 2> /dev/null)" != idle ] || break
    sleep 0.5
done
state=$(sinfo -h -o %T 2>&1)
is "$state" idle "a cluster of one node"
if [ "$state" != idle ]; then
    tail -n 20 "$work"/slurm*.out "$work"/*.log | sed 's/^/# /'
    echo "1..$n"
    exit 1
fi

# --- the job -------------------------------------------------------------------------------------------------------------------------

guest-images/fetch.sh 6.12 > "$work/images.log" 2>&1 && guest-images/build-initramfs.sh 6.12 >> "$work/images.log" 2>&1
is $? 0 "the guest's kernel is there"

if [ -z "$(why_not_here)" ]; then
    cat > "$work/shard.sh" << EOF
"$build/arm64/eret" test --define "KERNELS=$build/kernels" --shard "\$1" --json "\$2" "$root/tests/boot/suites/expected.ini"
EOF
else
    # All that comes out of the emulated host is what its command prints.
    cat > "$work/shard.sh" << EOF
"$root/tests/host/host.sh" run --timeout 600 --share "$root/tests/boot/suites:suites" -- sh -c '
    /share/eret test --define KERNELS=/kernels --shard "\$1" --json /tmp/part.json /share/suites/expected.ini > /tmp/log 2>&1
    status=\$?
    if [ -e /tmp/part.json ]; then cat /tmp/part.json; else cat /tmp/log; fi
    exit \$status' shard "\$1" > "\$2"
EOF
fi
cat > "$work/job.sh" << EOF
#!/bin/bash
#SBATCH --array=1-2
#SBATCH --output=$work/task-%a.log
#SBATCH --chdir=$work
echo "task \$SLURM_ARRAY_TASK_ID of \$SLURM_ARRAY_TASK_COUNT on \$SLURMD_NODENAME"
bash "$work/shard.sh" "\$SLURM_ARRAY_TASK_ID/\$SLURM_ARRAY_TASK_COUNT" "part-\$SLURM_ARRAY_TASK_ID.json"
EOF
timeout 1500 sbatch --wait "$work/job.sh" > "$work/sbatch.log" 2>&1
is $? 0 "the job array ends well"
like "$work/task-1.log" '^task 1 of 2 on ' "the first task has the first shard"
like "$work/task-2.log" '^task 2 of 2 on ' "the second task the second"

# --- the report ----------------------------------------------------------------------------------------------------------------------

"$build/native/eret" test merge --tap --junit "$work/report.xml" "$work"/part-*.json > "$work/report.tap" 2> "$work/merge.log"
is $? 0 "their results are one report"
like "$work/report.tap" '^1\.\.4$' "of four cases"
is "$(grep -c '^ok ' "$work/report.tap")" 4 "all of which passed"
like "$work/report.xml" 'tests="4"' "in JUnit too"
xmllint --noout --schema tests/suites-schema/junit.xsd "$work/report.xml" 2> "$work/xmllint.log"
is $? 0 "which the common schema finds valid"
is "$(grep -c '"name"' "$work/part-1.json")" "$(grep -c '"name"' "$work/part-2.json")" "and each shard has half of them"

if [ "$failures" != 0 ]; then tail -n 30 "$work"/*.log | sed 's/^/# /'; fi
echo "1..$n"
[ "$failures" = 0 ]
