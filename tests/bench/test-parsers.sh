#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What the measurements read (histograms of tracepoints, smaps, traces, a guest's output), with inputs as the kernel and the guests print them. Prints TAP.
set -u
cd "$(dirname "$0")/host" || exit 1
n=0

# parses NAME WANTED AWK-ARGUMENT...: what awk makes of standard input, sorted.
parses() {
    name=$1 wanted=$2
    shift 2
    n=$((n + 1))
    got=$(awk "$@" | LC_ALL=C sort)
    if [ "$got" = "$wanted" ]; then
        echo "ok $n - $name"
    else
        echo "not ok $n - $name"
        printf 'wanted:\n%s\ngot:\n%s\n' "$wanted" "$got" | sed 's/^/# /'
    fi
}

parses "a histogram with two keys" "0 0 1461
2 36 776" -f hist.awk <<'END'
# event histogram
#
# trigger info: hist:keys=ret,esr_ec:vals=hitcount:sort=hitcount:size=2048 [active]
#

{ ret:          2, esr_ec:         36 } hitcount:        776
{ ret:          0, esr_ec:          0 } hitcount:       1461

Totals:
    Hits: 2237
    Entries: 2
    Dropped: 0
END

parses "a histogram with an address" "2 9000018 48" -f hist.awk <<'END'
{ type:          2, gpa:          9000018 } hitcount:         48
END

parses "a histogram of nothing" "" -f hist.awk <<'END'
# trigger info: hist:keys=reason:vals=hitcount:sort=hitcount:size=2048 [active]
Totals:
    Hits: 0
END

mmio='0 9000018 48
1 9000018 48
2 9000000 45
0 4010000004 3
2 3f008004 2
1 8000000 9
2 80a0014 7
2 8000003000 1
2 4000aaa 3
0 4000010 2
1 4000010 2'
parses "MMIO by device: reads once, nothing of the GIC" "1 PCI BAR
5 PCI configuration
5 flash
93 PL011" -v per=device -f regions.awk <<END
$mmio
END
parses "MMIO by register" "1 PCI BAR 0x8000003000 write
2 PCI configuration 0x3f008004 write
2 flash 0x4000010 read
3 PCI configuration 0x4010000004 read
3 flash 0x4000aaa write
45 PL011 0x9000000 write
48 PL011 0x9000018 read" -v per=register -f regions.awk <<END
$mmio
END

parses "memory: the guest's is left out, clean pages of files are shared" "private 72
private-part 28 [heap]
private-part 44 program
ram 60000
shared 300
shared-part 300 program" -v ram=262144 -f smaps.awk <<'END'
aaaac0000000-aaaac0080000 r-xp 00000000 fe:10 17       /share/program
Size:                512 kB
Rss:                 300 kB
Pss:                 300 kB
Shared_Clean:        100 kB
Shared_Dirty:          0 kB
Private_Clean:       200 kB
Private_Dirty:         0 kB
VmFlags: rd ex mr mw me
aaaac0090000-aaaac00a0000 rw-p 00080000 fe:10 17       /share/program
Size:                 64 kB
Rss:                  44 kB
Private_Clean:         0 kB
Private_Dirty:        44 kB
aaaadf000000-aaaadf021000 rw-p 00000000 00:00 0        [heap]
Size:                132 kB
Rss:                  28 kB
Private_Clean:         8 kB
Private_Dirty:        20 kB
ffff60000000-ffff70000000 rw-p 00000000 00:00 0
Size:             262144 kB
Rss:               60000 kB
Private_Clean:         0 kB
Private_Dirty:     60000 kB
END

parses "from exec to the first entry, of the program that was asked for" 56474000 -v program=eret -f first-entry.awk <<'END'
# tracer: nop
           timed-100     [001] .....    52.100000: sched_process_exec: filename=/share/tools/timed pid=100 old_pid=100
            eret-101     [001] .....    52.104533: sched_process_exec: filename=/share/eret pid=101 old_pid=101
           vcpu0-104     [001] d....    52.161007: kvm_entry: PC: 0x0000000040200000
           vcpu0-104     [001] d....    52.171007: kvm_entry: PC: 0x0000000040200004
END
parses "a trace without an entry" "" -v program=eret -f first-entry.awk <<'END'
            eret-101     [001] .....    52.104533: sched_process_exec: filename=/share/eret pid=101 old_pid=101
END

parses "round trips, the quickest of each kind" "hvc 1500.0
read 33.9" -f trips.awk <<'END'
counter 0000000000000064 000000003b9aca00
hvc 0000000000000064 00000000000249f0
read 0000000000000064 0000000000030d40
read 0000000000000064 0000000000130d40
read 0000000000000064 0000000000000d40
eret: something else
hvc none
END
echo "1..$n"
