# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
# Debian's archive, for the scripts that need packages (sourced, not run).
#
# The archive's address is never written in this project: it is taken from the machine's own apt sources, and only the suite names
# are replaced. That works for Debian machines with the new (.sources) and the old (sources.list) format.

# Prints a .sources file for the given suites, derived from the machine's own main entry.
debian_sources() (
    suites=$*
    codename=$(. /etc/os-release && printf %s "${VERSION_CODENAME-}")
    [ -n "$codename" ] || return 1
    # deb822: the first stanza whose Suites has the bare code name.
    for file in /etc/apt/sources.list.d/*.sources; do
        [ -f "$file" ] || continue
        awk -v codename="$codename" -v suites="$suites" '
            BEGIN { RS = ""; FS = "\n" }
            {
                found = 0; off = 0; out = ""
                for (i = 1; i <= NF; i++) {
                    line = $i
                    if (line ~ /^#/ || line ~ /^Architectures:/) continue
                    if (line ~ /^Enabled:[ \t]*no/) off = 1
                    if (line ~ /^Types:/) line = "Types: deb"
                    if (line ~ /^Components:/) line = "Components: main"
                    if (line ~ /^Suites:/) {
                        n = split(line, words, /[ \t]+/)
                        for (w = 2; w <= n; w++) if (words[w] == codename || words[w] == "stable") found = 1
                        line = "Suites: " suites
                    }
                    out = out line "\n"
                }
                if (found && !off && !done) { printf "%s", out; done = 1 }
            }
            END { exit !done }' "$file" && return 0
    done
    # One line: deb [options] URI suite components
    cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null | awk -v codename="$codename" -v suites="$suites" '
        $1 == "deb" {
            options = ""; i = 2
            if ($2 ~ /^\[/) { do { options = options " " $i } while ($(i++) !~ /\]$/) }
            if ($(i + 1) != codename && $(i + 1) != "stable") next
            print "Types: deb"; print "URIs: " $i; print "Suites: " suites; print "Components: main"
            if (match(options, /signed-by=[^] ]+/)) print "Signed-By: " substr(options, RSTART + 10, RLENGTH - 10)
            else print "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg"
            done = 1; exit
        }
        END { exit !done }'
)
