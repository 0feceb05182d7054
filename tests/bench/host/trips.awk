# SPDX-License-Identifier: Apache-2.0
# What tests/bench/guest/trips.S prints, "NAME ROUNDS TICKS" in hexadecimal, to "NAME NANOSECONDS" of one round, in the quickest of the
# batches: the others were interrupted. Its first line is "counter", with the ticks a second.
function digit(c) { return index("0123456789abcdef", c) - 1 }
function number(hex,    n, i) {
    for (i = 1; i <= length(hex); i++) n = n * 16 + digit(substr(hex, i, 1))
    return n
}
NF == 3 && $2 ~ /^[0-9a-f]+$/ && length($2) == 16 && length($3) == 16 {
    if ($1 == "counter") {
        tick = 1000000000 / number($3)
        next
    }
    rounds = number($2)
    if (rounds == 0 || tick == 0) next
    if (!($1 in best)) order[++kinds] = $1
    ns = number($3) / rounds * tick
    if (!($1 in best) || ns < best[$1]) best[$1] = ns
}
END { for (k = 1; k <= kinds; k++) printf "%s %.1f\n", order[k], best[order[k]] }
