# SPDX-License-Identifier: Apache-2.0
# A histogram of a tracepoint, as tracefs prints it, to a line for each of its entries: VALUE... COUNT, the values in the order of the keys.
#
#   { ret:          2, esr_ec:         36 } hitcount:        998    ->    2 36 998
/^\{.*hitcount:/ {
    gsub(/[{},]/, " ")
    line = ""
    for (i = 1; i < NF; i++)
        if ($i ~ /:$/) {
            value = $(i + 1)
            sub(/^0x/, "", value)
            line = line (line == "" ? "" : " ") value
        }
    print line
}
