# SPDX-License-Identifier: Apache-2.0
# Of the inputs in a control file of libFuzzer's merge (-merge_control_file), the few that reach most: each is the one that adds the most edges
# to those before it. Inputs that somebody has written, seed-*, are there in any case, and not printed.
#
# Usage: awk -v most=NUMBER -f cover.awk CONTROL-FILE
#
# Lines: how many inputs; how many of these are of the first directory; their paths; and then, by number, "STARTED N SIZE" and "FT N FEATURE...",
# where a feature is an edge eight times and how often it was taken.

NR == 1 { n = $1; next }
NR == 2 { next }
NR <= n + 2 { path[NR - 3] = $0; next }
$1 == "STARTED" { size[$2] = $3 }
$1 == "FT" {
    delete here
    edges = ""
    for (i = 3; i <= NF; i++) {
        edge = int($i / 8)
        if (!(edge in here)) {
            here[edge]
            edges = edges " " edge
        }
    }
    reached[$2] = edges
    gain[$2] = split(edges, ignored, " ")
}

# What N adds.
function adds(n, i, count, list, sum) {
    count = split(reached[n], list, " ")
    for (i = 1; i <= count; i++)
        sum += !(list[i] in seen)
    return sum + 0
}

function take(n, i, count, list) {
    count = split(reached[n], list, " ")
    for (i = 1; i <= count; i++)
        seen[list[i]]
    gain[n] = 0
}

END {
    for (i = 0; i < n; i++)
        if (path[i] ~ /\/seed-[^\/]*$/)
            take(i)
    for (picked = 0; picked < most;) {
        best = -1
        for (i = 0; i < n; i++)
            if (gain[i] > 0 && (best < 0 || gain[i] > gain[best] || (gain[i] == gain[best] && size[i] < size[best])))
                best = i
        if (best < 0)
            exit
        # What it once would have added is the most that it can add now.
        now = adds(best)
        if (now == gain[best]) {
            print path[best]
            take(best)
            picked++
        }
        else
            gain[best] = now
    }
}
