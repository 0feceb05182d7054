# SPDX-License-Identifier: Apache-2.0
# Sourced: Debian's arm64 packages through a private apt configuration under build/apt, so that the machine's own package selection is left alone and no root is
# needed. They are unpacked, never installed. Wants $here (this directory) and $build.
# shellcheck shell=sh disable=SC2154,SC2031,SC2034
# shellcheck source=guest-images/debian.sh
. "$here/debian.sh"

fail() { echo "${0##*/}: $*" >&2; exit 1; }
say() { echo "$*" >&2; }

# take_turn NAME: one script at a time fetches or makes something. $work is a directory of its own, which goes with it.
take_turn() {
    mkdir -p "$build"
    exec 9> "$build/.fetch.lock"
    flock 9
    work=$(mktemp -d "$build/.$1.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
}

apt=$build/apt packages=$build/cache
suites="bookworm bookworm-backports trixie-backports"

private_apt() { APT_CONFIG=$apt/apt.conf "$@"; }

# use_suites NAME SUITE...: from now on packages are those of the suites instead; build/NAME has their lists and the packages.
use_suites() {
    apt=$build/$1 packages=$build/$1/packages
    shift
    suites=$*
    apt_ready=
}

# begin_debian VERSION SUITE: takes a turn to make something of one release of Debian's, whose lists and packages are in
# build/debian-VERSION. In $work, $tree is for what is unpacked, and $new for what is made.
begin_debian() {
    take_turn debian
    use_suites "debian-$1" "$2" "$2-updates"
    tree=$work/tree
    new=$work/new
    mkdir "$new"
    prepare_apt
}

# finish_debian OUT: OUT is what lies in $new, and nothing else.
finish_debian() {
    rm -rf "$1"
    mkdir -p "$(dirname "$1")"
    mv "$new" "$1"
}

prepare_apt() {
    [ -z "${apt_ready-}" ] || return 0
    command -v apt-get >/dev/null || fail "kernels come as Debian packages, and there is no apt-get here; put Image, config, version
and modules/ into build/kernels/KERNEL/ and a static arm64 busybox into build/busybox/ by hand"
    mkdir -p "$apt/state/lists/partial" "$apt/cache/archives/partial" "$apt/sources"
    : > "$apt/state/status"
    # shellcheck disable=SC2086  # words
    debian_sources $suites > "$apt/sources/debian.sources" ||
        fail "no apt source for Debian found under /etc/apt"
    cat > "$apt/apt.conf" <<EOF
Dir::State "$apt/state";
Dir::State::status "$apt/state/status";
Dir::Cache "$apt/cache";
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "$apt/sources";
Dir::Etc::preferencesparts "/dev/null";
APT::Architecture "arm64";
APT::Architectures { "arm64"; };
APT::Sandbox::User "$(id -un)";
Acquire::Languages "none";
Acquire::Retries "3";
EOF
    if [ -z "$(find "$apt/updated" -mmin -60 2>/dev/null)" ]; then
        say "reading Debian's package lists"
        # A suite that has gone away must not stop us from using the others: what is missing is noticed when it is looked for.
        private_apt apt-get -qq update > "$apt/update.log" 2>&1 || true
        touch "$apt/updated"
    fi
    apt_ready=1
}

# newest REGEX: the newest package whose name matches, by version of the name.
newest() {
    private_apt apt-cache pkgnames | grep -E "^($1)\$" | sort -V | tail -n 1
}

# with_dependencies PACKAGE...: these, and what apt would install beside them where nothing is there yet. What is
# essential is no dependency of anything.
with_dependencies() {
    private_apt apt-get -s -q --no-install-recommends install "$@" | sed -n 's/^Inst \([^ ]*\) .*/\1/p'
}

# download PACKAGE DIR: puts the package's contents below DIR. A link to a directory stays where a package has the directory.
download() {
    cached=$packages/$1.deb
    if [ ! -e "$cached" ]; then
        say "downloading $1"
        mkdir -p "$packages" "$work/deb"
        if [ -t 2 ]; then quiet=-q=0; else quiet=-qq; fi
        (cd "$work/deb" && private_apt apt-get $quiet download "$1:arm64") >&2 || {
            cat "$apt/update.log" >&2
            fail "cannot download $1"
        }
        mv "$work/deb"/*.deb "$cached"
    fi
    mkdir -p "$2"
    dpkg-deb --fsys-tarfile "$cached" | tar -x --keep-directory-symlink -p -C "$2" -f -
}
