# SPDX-License-Identifier: Apache-2.0
# /proc/PID/smaps, guest memory left out: "private KIB" (written to, or of no file: each further machine needs it again), "shared KIB" (unwritten pages of programs and
# libraries, which all processes share), "ram KIB" (what was left out), and what the first two consist of: "private-part KIB NAME", "shared-part KIB NAME". Wants ram=KIB,
# the guest's memory: a mapping of at least half that size is taken for it.
function account(    own) {
    if (size == 0) return
    if (size * 2 >= ram) {
        left_out += rss
        return
    }
    own = inode != 0 ? dirty : clean + dirty
    private += own
    shared += rss - own
    private_part[name] += own
    shared_part[name] += rss - own
}
/^[0-9a-f]+-[0-9a-f]+ / {
    account()
    size = rss = clean = dirty = 0
    inode = $5
    name = $6 == "" ? "anonymous" : $6
    sub(/.*\//, "", name)
}
$1 == "Size:" { size = $2 }
$1 == "Rss:" { rss = $2 }
$1 == "Private_Clean:" { clean = $2 }
$1 == "Private_Dirty:" { dirty = $2 }
END {
    account()
    print "private", private + 0
    print "shared", shared + 0
    print "ram", left_out + 0
    for (name in private_part) if (private_part[name] > 0) print "private-part", private_part[name], name
    for (name in shared_part) if (shared_part[name] > 0) print "shared-part", shared_part[name], name
}
