# SPDX-License-Identifier: Apache-2.0
# MMIO by device: reads "TYPE ADDRESS COUNT" (hist.awk, of kvm_mmio by type and gpa.hex) and prints "COUNT DEVICE" for what userspace has to answer, most first. Types:
# 0 a read that KVM has begun, 1 the same when it has ended, 2 a write (Linux, include/trace/events/kvm.h). With per=register: a line for each address.
#
# The addresses are those of the `virt` machine, which eret follows; GIC's accesses are answered by the kernel.
function digit(c) { return index("0123456789abcdef", c) - 1 }
function number(hex,    n, i) {
    for (i = 1; i <= length(hex); i++) n = n * 16 + digit(substr(hex, i, 1))
    return n
}
BEGIN {
    mib = 1048576
    gib = 1024 * mib
}
function device(a) {
    if (a < 128 * mib) return "flash"
    if (a >= 128 * mib && a < 144 * mib) return "GIC"
    if (a >= 144 * mib && a < 144 * mib + 4096) return "PL011"
    if (a >= 144 * mib + 65536 && a < 144 * mib + 69632) return "PL031"
    if (a >= 144 * mib + 131072 && a < 144 * mib + 196608) return "fw_cfg"
    if (a >= 144 * mib + 196608 && a < 144 * mib + 200704) return "PL061"
    if (a >= 160 * mib && a < 176 * mib) return "virtio-mmio"
    if (a >= 256 * mib && a < 1008 * mib) return "PCI BAR"
    if (a >= 1008 * mib && a < 1024 * mib) return "PCI configuration"
    if (a >= 256 * gib && a < 257 * gib) return "PCI configuration"
    if (a >= 40 * gib && a < 48 * gib || a >= 512 * gib) return "PCI BAR"
    return sprintf("0x%x", a)
}
$1 != 1 {
    name = device(number($2))
    if (name == "GIC") next
    if (per == "register") name = name " 0x" $2 ($1 == 2 ? " write" : " read")
    count[name] += $3
}
END { for (name in count) print count[name], name | "sort -rn" }
