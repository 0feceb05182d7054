# /proc/PID/smaps, guest memory left out: "private KIB" (written to, or of no file: each further machine needs it again), "shared KIB" (unwritten pages of programs and
# libraries, which all processes share), "ram KIB" (what was left out). Wants ram=KIB, the guest's memory: a mapping of at least half that size is taken for it.
function account() {
    if (size == 0) return
    if (size * 2 >= ram) {
        left_out += rss
    } else if (inode != 0) {
        private += dirty
        shared += rss - dirty
    } else {
        private += clean + dirty
        shared += rss - clean - dirty
    }
}
/^[0-9a-f]+-[0-9a-f]+ / { account(); size = rss = clean = dirty = 0; inode = $5 }
$1 == "Size:" { size = $2 }
$1 == "Rss:" { rss = $2 }
$1 == "Private_Clean:" { clean = $2 }
$1 == "Private_Dirty:" { dirty = $2 }
END {
    account()
    print "private", private + 0
    print "shared", shared + 0
    print "ram", left_out + 0
}
