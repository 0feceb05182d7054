#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# `eret trace --explain` tells the story of the guided tour of exceptions. Golden text, up to what differs from run to run: times, addresses, values, and what the
# host adds (its interrupts, its timers, the pages it maps). All accesses are to be seen. A line that comes again, as each character on the UART does, is told once.
# root
# shellcheck source=tests/host/lib.sh
. "$LIB"

[ "$KIND" = native ] && skip_all "which registers KVM traps is the machine's own"
[ -e /sys/kernel/tracing/trace ] || mount -t tracefs nodev /sys/kernel/tracing 2> /dev/null

run_eret --kernel "$GUESTS/exceptions" --exits all --record tour.rec
is "$status" 0 "the tour powers off, status 0"
like "$console" '^PASS exceptions' "and passes"
"$ERET" trace tour.rec --explain > explained
is "$?" 0 "its recording can be explained"
sed -E -e '/ IRQ at /d; /^  \* (timer|GIC): /d; /stage 2 /d' -e 's/, [0-9.]+ (ns|us|ms|s)$//' -e 's/^vcpu0 #[0-9]+ /vcpu0 /' \
    -e 's/ at 0x[0-9a-f]+:/ at ADDRESS:/' -e 's/(write of [0-9]+ bytes?) 0x[0-9a-f]+ /\1 VALUE /' -e 's/ gives 0x[0-9a-f]+ / gives VALUE /' \
    explained | awk '!told[$0]++' > story
cat > golden << 'END'
  * phase: process-start
  * phase: options-read
  * phase: recording-begun
  * phase: devices-made
  * phase: kvm-objects-made
  * phase: kernel-loaded
  * phase: first-instruction
vcpu0 MRS ID_AA64MMFR0_EL1 at ADDRESS: system register read -> EL2 (EC 0x18 SYS64) -> emulated by KVM -> ERET to EL1
vcpu0 data abort at ADDRESS: read of 4 bytes from 0x9000018 (pl011 UARTFR) -> EL2 (EC 0x24 DABT_LOW) -> KVM_EXIT_MMIO -> eret: pl011 gives VALUE -> ERET to EL1
  * phase: first-exit
vcpu0 data abort at ADDRESS: write of 4 bytes VALUE to 0x9000000 (pl011 UARTDR) -> EL2 (EC 0x24 DABT_LOW) -> KVM_EXIT_MMIO -> eret: pl011 -> ERET to EL1
  * phase: first-output
vcpu0 HVC #0 at ADDRESS: x0=0x84000000 PSCI VERSION -> EL2 (EC 0x16 HVC64) -> answered by KVM -> ERET to EL1
vcpu0 SMC at ADDRESS: the function is not recorded -> EL2 (EC 0x17 SMC64) -> answered by KVM -> ERET to EL1
vcpu0 HVC #0 at ADDRESS: x0=0x84000008 PSCI SYSTEM_OFF -> EL2 (EC 0x16 HVC64) -> KVM_EXIT_SYSTEM_EVENT -> eret -> no return is recorded
  * phase: guest-end
  * phase: ended
END
if diff golden story > difference; then
    passed "the story is the golden one"
else
    failed "the story is the golden one" "$(sed -n 1,20p difference)"
fi

# Hypercalls that leave the kernel for eret.
run_eret --kernel "$GUESTS/services" --record services.rec
"$ERET" trace services.rec --explain > explained
like explained 'HVC #0 .*eret_version.*KVM_EXIT_HYPERCALL.*eret' "a hypercall's way to eret and back"
like explained 'SMC .*eret_' "by SMC too"
like explained 'hypercall-doorbell' "and through the doorbell page"

# Zeros are no instructions, and the exception goes to address 0x200, where no memory is, for ever.
head -c 64 /dev/zero > lost
start_eret --kernel lost --kernel-format raw --record lost.rec
sleep 2
kill -TERM "$pid"
sleep 1
kill -TERM "$pid"
finish_eret 20
is "$status" 4 "a guest that is stuck in faults is stopped, status 4"
like "$errors" 'stuck: vCPU 0 faults for ever at 0x200, in its own exception vectors, where no memory is: .*FAR_EL1 0x200' "and named at the end"
"$ERET" trace lost.rec > summary
like summary '^stuck +vcpu0 faults for ever at 0x200: no memory at IPA 0x200, [0-9,]+ times' "and in the summary of its recording"
"$ERET" trace lost.rec --explain > explained
like explained 'fetch where no memory is, at 0x200 .*KVM injects an abort' "of which each switch says what KVM does"
unlike explained ' at 0x200 .*KVM maps the page' "and none says what it does not do"

# eret exec, too, says more than that nothing came.
new_guest exec
"$ERET" exec --kernel lost --kernel-format raw --boot-timeout 4 -- true > out 2> "$errors" 3>&- < /dev/null
status=$?
is "$status" 244 "eret exec of such a guest: boot timeout"
like "$errors" 'stuck: vCPU 0 faults for ever at 0x200' "and why"
