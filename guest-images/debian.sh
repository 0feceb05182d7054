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

# debian_fetch SUITE PACKAGE=VERSION...: packages for this machine, unpacked below SUITE/root in this directory; nothing
# is installed, and the machine's own lists stay as they are.
debian_fetch() {
    suite=$1
    shift
    mkdir -p "$suite/lists/partial" "$suite/archives/partial" "$suite/sources"
    debian_sources "$suite" > "$suite/sources/debian.sources"
    cat > apt.conf << END
Dir::State::lists "$PWD/$suite/lists";
Dir::Cache::archives "$PWD/$suite/archives";
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "$PWD/$suite/sources";
END
    configuration=$PWD/apt.conf
    (
        cd "$suite" || exit
        APT_CONFIG=$configuration apt-get -q -q update > messages 2>&1
        APT_CONFIG=$configuration apt-get -q -q download "$@" >> messages 2>&1 || { cat messages; exit 2; }
        for package in *.deb; do dpkg-deb -x "$package" root; done
    )
}

# debian_fetch_whole ARCHITECTURE TREE SUITES PACKAGE=VERSION: of any architecture, with what apt would install beside it,
# unpacked below TREE in this directory.
debian_fetch_whole() {
    architecture=$1 tree=$PWD/$2 suites=$3 package=$4
    mkdir -p "$architecture/lists/partial" "$architecture/archives/partial" "$architecture/sources"
    # shellcheck disable=SC2086  # words
    debian_sources $suites > "$architecture/sources/debian.sources"
    : > "$architecture/status"
    cat > apt.conf << END
Dir::State::lists "$PWD/$architecture/lists";
Dir::State::status "$PWD/$architecture/status";
Dir::Cache::archives "$PWD/$architecture/archives";
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "$PWD/$architecture/sources";
Dir::Etc::preferencesparts "/dev/null";
APT::Architecture "$architecture";
APT::Architectures { "$architecture"; };
APT::Sandbox::User "$(id -un)";
Debug::NoLocking "true";
END
    APT_CONFIG=$PWD/apt.conf
    export APT_CONFIG
    apt-get -q -q update > messages 2>&1
    rm -f "$architecture"/archives/*.deb
    apt-get -q -q -y --no-install-recommends --download-only install "$package" >> messages 2>&1 || { cat messages; exit 2; }
    for deb in "$architecture"/archives/*.deb; do dpkg-deb -x "$deb" "$tree"; done
    unset APT_CONFIG
}
