#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tests/host/install.sh before a Debian that is made up: what is asked of apt, and what is said before. Prints TAP.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

mkdir "$work/bin" "$work/tree" "$work/tree/build"
cp -r tests guest-images "$work/tree/" || exit 1

# Commands of a machine that are no more than $work has it: `installed`, `known` (packages that apt knows),
# `architectures`, `in-the-way`.
command_of_the_machine() { { echo '#!/bin/sh'; cat; } > "$work/bin/$1" && chmod 755 "$work/bin/$1"; }
export MACHINE=$work
command_of_the_machine uname << 'EOF'
echo x86_64
EOF
command_of_the_machine id << 'EOF'
echo 0
EOF
command_of_the_machine dpkg-query << 'EOF'
sed 's/.*/ii & 1/' "$MACHINE/installed"
EOF
command_of_the_machine dpkg << 'EOF'
case $1 in
--print-architecture) echo amd64 ;;
--print-foreign-architectures) cat "$MACHINE/architectures" ;;
--add-architecture) echo "dpkg $*" >> "$MACHINE/calls"; echo "$2" >> "$MACHINE/architectures" ;;
esac
EOF
command_of_the_machine apt-cache << 'EOF'
[ "$1" != show ] || ! grep -qx -e "$2" "$MACHINE/known" || echo "Package: $2"
EOF
command_of_the_machine apt-get << 'EOF'
case " $* " in
*" -s "*) sed 's/.*/Remv & [1]/' "$MACHINE/in-the-way" ;;
*) echo "apt-get $*" >> "$MACHINE/calls" ;;
esac
EOF

# machine INSTALLED KNOWN ARCHITECTURES IN-THE-WAY: words
machine() {
    echo "$1" | tr ' ' '\n' > "$work/installed"
    echo "$2" | tr ' ' '\n' > "$work/known"
    echo "$3" | tr ' ' '\n' | grep . > "$work/architectures"
    echo "$4" | tr ' ' '\n' | grep . > "$work/in-the-way"
    : > "$work/calls"
}
install() {
    PATH=$work/bin:$PATH "$work/tree/tests/host/install.sh" "$@" > "$work/said" 2>&1
    status=$?
}

machine gcc:amd64 "libarchive13:arm64" arm64 ""
install build
is "$status" 0 "what is missing is installed"
like "$work/said" '^installing packages: .*libfdt1:arm64' "and named"
unlike "$work/said" 'architectures' "no word of an architecture that is there"
like "$work/calls" '^apt-get .* install .*libfdt-dev' "by apt"
grep ' install ' "$work/calls" | grep -v -e ' --no-remove ' > "$work/removing"
result $((! $?)) "which may remove nothing" "$work/removing"
like "$work/calls" ' libarchive13:arm64( |$)' "of two names of a package, the one that this Debian has"
unlike "$work/calls" 'libarchive13t64|libarchive-dev:arm64' "and not the other, nor what excludes its like of this machine's own architecture"

machine gcc:amd64 "libarchive13t64:arm64 libarchive13:arm64" arm64 ""
install build
like "$work/calls" ' libarchive13t64:arm64( |$)' "on a newer Debian its newer name"

machine gcc:amd64 "libarchive13:arm64" "" ""
install build
like "$work/said" 'adding arm64 to this machine.s architectures' "a foreign architecture is spoken of"
is "$(grep -n -m 1 architectures "$work/said" | cut -d: -f1)" 1 "before anything else"
like "$work/calls" '^dpkg --add-architecture arm64$' "and added"

machine gcc:amd64 "libarchive13:arm64" arm64 "libfdt-dev:arm64 their-tool"
install build
is "$status" 1 "packages of the user's in the way are a failure"
like "$work/said" 'in the way of what is needed: libfdt-dev:arm64 their-tool$' "that names them"
like "$work/said" 'Nothing was removed.*remove it yourself \(apt-get remove libfdt-dev:arm64 their-tool\)' "with what to do"
unlike "$work/calls" 'apt-get' "and nothing is done"

machine "" "libarchive13:arm64" arm64 ""
PATH=$work/bin:$PATH "$root/tests/host/install.sh" --list build | tr '|' '\n' | sed '/:/!s/$/:amd64/' > "$work/installed"
install build
is "$status" 0 "with everything there"
is "$(cat "$work/said" "$work/calls")" "" "nothing is said, nor done"
grep -v '^libarchive13t64' "$work/installed" > "$work/less" && mv "$work/less" "$work/installed"
install build
is "$(cat "$work/said" "$work/calls")" "" "nor when one name of a package is missing and the other there"

# --- clang ---------------------------------------------------------------------------------------------------------------------------

command_of_the_machine clang-format << 'EOF'
echo "Debian clang-format version 19.1.7 (3+b1)"
EOF
for tool in grep sed; do ln -s "$(command -v $tool)" "$work/bin/"; done
PATH=$work/bin /bin/sh tests/sources/clang.sh clang-format > "$work/said" 2>&1
is $? 77 "a clang of another version is not asked"
like "$work/said" 'held against clang-format 14.*here is 19\.1\.7' "and the version that is wanted is named"
echo 'echo "clang-format version 14.0.6"' > "$work/bin/clang-format-14" && chmod 755 "$work/bin/clang-format-14"
is "$(PATH=$work/bin /bin/sh tests/sources/clang.sh clang-format)" "$work/bin/clang-format-14" "beside another version the right one is found"
plan
