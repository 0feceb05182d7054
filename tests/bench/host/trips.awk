# What tests/bench/guest/trips.S prints, "NAME ROUNDS TICKS" in hexadecimal, to "NAME NANOSECONDS" of one round. The median of the
# batches. Its first line is "counter", with the ticks a second.
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
    if (!($1 in n)) order[++kinds] = $1
    batch[$1, ++n[$1]] = number($3) / rounds * tick
}
function median(name,    i, j, t) {
    for (i = 2; i <= n[name]; i++)
        for (j = i; j > 1 && batch[name, j - 1] > batch[name, j]; j--) {
            t = batch[name, j]
            batch[name, j] = batch[name, j - 1]
            batch[name, j - 1] = t
        }
    return (batch[name, int((n[name] + 1) / 2)] + batch[name, int((n[name] + 2) / 2)]) / 2
}
END { for (k = 1; k <= kinds; k++) printf "%s %.1f\n", order[k], median(order[k]) }
