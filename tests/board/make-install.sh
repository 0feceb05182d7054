#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `make install` into a directory: what is there, and that it runs from there. Prints TAP.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

install() { make install "$@" > "$work/log" 2>&1; }

install DESTDIR="$work/here" PREFIX=/usr
result $? "make install" "$work/log"
usr=$work/here/usr
(cd "$work/here" && find . ! -type d ! -path './usr/share/doc/eret/docs/*' | LC_ALL=C sort) > "$work/files"
cat > "$work/wanted" << EOF
./usr/bin/eret
./usr/include/eret-hypercall.h
./usr/lib/eret/busybox
./usr/lib/eret/eret-guest
./usr/share/bash-completion/completions/eret
./usr/share/doc/eret/LICENSE
./usr/share/doc/eret/README.md
./usr/share/man/man1/eret.1
./usr/share/man/man5/eret-suite.5
EOF
diff "$work/wanted" "$work/files" > "$work/differ"
result $? "all that belongs to it is there" "$work/differ"

find docs -type f -perm -100 | LC_ALL=C sort > "$work/wanted"
(cd "$usr/share/doc/eret" && find docs -type f -perm -100 | LC_ALL=C sort) > "$work/files"
[ -s "$work/wanted" ] && diff "$work/wanted" "$work/files" > "$work/differ"
result $? "what can be run in the tree can be run where it is installed" "$work/differ"

# The program is one for this machine, and runs.
readelf -hW "$usr/bin/eret" > "$work/header"
case $(uname -m) in aarch64) machine=AArch64 ;; x86_64) machine=X86-64 ;; *) machine= ;; esac
like "$work/header" "Machine:.*$machine" "the program is for this machine"
readelf -SW "$usr/bin/eret" > "$work/sections"
! grep -qE ' \.(symtab|debug_info) ' "$work/sections"
result $? "without symbols" "$work/sections"
! readelf -dW "$usr/bin/eret" | grep -q 'lib[au]b\?san'
result $? "and without sanitizers"
is "$("$usr/bin/eret" --version 2>&1)" "eret $(cat vmm/VERSION)" "it runs from there"
"$usr/bin/eret" run --dry-run --rng > "$work/plan" 2>&1
like "$work/plan" 'pl011' "and plans a machine"
echo '[one]' > "$work/suite.ini" && echo 'kernel = Image' >> "$work/suite.ini"
"$usr/bin/eret" test --list "$work/suite.ini" > "$work/list" 2>&1
like "$work/list" one "lists a suite"
"$usr/bin/eret" trace "$work/none.rec" > "$work/trace" 2>&1
like "$work/trace" 'none\.rec.*No such file' "and would read a recording"

# What goes into guests.
"$usr/bin/eret" doctor --json > "$work/doctor.json" 2> "$work/doctor.log"
like "$work/doctor.json" "\"busybox\" *: *\"$usr/lib/eret/busybox\"" "the installed busybox is found"
for file in busybox eret-guest; do
    readelf -hlW "$usr/lib/eret/$file" > "$work/header"
    like "$work/header" 'Machine:.*AArch64' "$file is for ARM64"
    ! grep -q INTERP "$work/header"
    result $? "and needs no libraries" "$work/header"
done
echo '#include <eret-hypercall.h>' > "$work/user.c"
"${CC:-gcc}" -I "$usr/include" -fsyntax-only "$work/user.c" > "$work/log" 2>&1
result $? "the header is found by a compiler" "$work/log"

# What the texts refer to.
{
    sed -n 's/^\.Pa \(docs\/[^ ]*\).*/\1/p' "$usr/share/man/man"*/*
    grep -oE '\]\(docs/[^)#]*' "$usr/share/doc/eret/README.md" | cut -c3-
} > "$work/names"
while read -r name; do [ -e "$usr/share/doc/eret/$name" ] || echo "$name is missing"; done < "$work/names" > "$work/missing"
[ -s "$work/names" ] && ! [ -s "$work/missing" ]
result $? "each document that the manual or the README names is there" "$work/missing"

# The workflow of docs/ci.md, in what stands for a kernel's repository: its own commands, but for the kernel's build and the need of KVM.
kernel=$work/kernel
mkdir -p "$kernel/.github" "$kernel/arch/arm64/boot"
echo "no kernel" > "$kernel/arch/arm64/boot/Image"
ln -s "$PWD" "$kernel/eret"
awk '/^```ini$/ { inside = 1; next } /^```/ { inside = 0 } inside' docs/ci.md > "$kernel/.github/boot.ini"
sed -n 's/^ *- run: //p' docs/ci.md | sed -e '/defconfig/d' -e 's/ --require-kvm / /' -e 's/\${{ matrix.shard }}/$shard/g' > "$work/commands"
(
    cd "$kernel" || exit
    export GITHUB_ACTIONS=true
    while read -r command; do
        case $command in *--shard*) shards="1 2 3 4" ;; *) shards=1 ;; esac
        for shard in $shards; do
            export shard
            echo "\$ $command"
            sh -c "$command"
            echo "status $?"
        done
    done < "$work/commands"
) < /dev/null > "$work/log" 2>&1
is "$(grep -c '^status' "$work/log")" 8 "the workflow of docs/ci.md has its commands"
is "$("$kernel/tools/bin/eret" test --list "$kernel/.github/boot.ini" 2>&1 | wc -l)" 2 "its suite is well-formed"
cases=$(cat "$kernel"/part-*.json | grep -c '"name" *: *"boots')
is "$cases" 2 "each of its cases is in one shard's results"
grep -o 'tests="[0-9]*"' "$kernel/report.xml" > "$work/tests"
is "$(head -n 1 "$work/tests")" 'tests="2"' "and in the report"

make uninstall DESTDIR="$work/here" PREFIX=/usr > "$work/log" 2>&1
find "$work/here" ! -type d > "$work/left"
! [ -s "$work/left" ]
result $? "make uninstall leaves no file" "$work/left"

# For ARM64 hosts, elsewhere, without what is not wanted.
! install DESTDIR="$work/nowhere" ARCH=bogus && [ ! -e "$work/nowhere" ]
result $? "for a machine that there is no eret for: nothing is installed" "$work/log"
like "$work/log" 'ARCH=bogus: there is eret for this machine, which is ARCH=.*, and for ARM64 hosts, ARCH=arm64' "and it is said"

install DESTDIR="$work/there" PREFIX=/opt/eret ARCH=arm64 STRIP= BUSYBOX=
readelf -hSW "$work/there/opt/eret/bin/eret" > "$work/header"
like "$work/header" 'Machine:.*AArch64' "ARCH=arm64: the program for ARM64 hosts"
like "$work/header" ' \.symtab ' "STRIP=: with symbols"
[ ! -e "$work/there/opt/eret/lib/eret/busybox" ]
result $? "BUSYBOX=: without busybox"

# Names of the user's, as no list of words can hold them.
place="$work/it's a place"
mkdir "$place"
cp build/busybox/busybox "$place/busybox of mine"
install DESTDIR="$place" PREFIX="/usr local" BUSYBOX="$place/busybox of mine"
result $? "make install into a directory with spaces and a quote in its name" "$work/log"
"$place/usr local/bin/eret" --version > "$work/version" 2>&1
result $? "it is there" "$work/version"
"$place/usr local/bin/eret" doctor --json > "$work/doctor.json" 2> "$work/doctor.log"
like "$work/doctor.json" "\"busybox\" *: *\"$place/usr local/lib/eret/busybox\"" "a busybox of another name is found"
make uninstall DESTDIR="$place" PREFIX="/usr local" > "$work/log" 2>&1
result $? "make uninstall with such a name" "$work/log"
find "$place" ! -type d ! -name 'busybox of mine' > "$work/left"
! [ -s "$work/left" ]
result $? "leaves no file either" "$work/left"

# Jobs are shared with the make inside of a make.
make -j2 all guests > "$work/log" 2>&1 && ! grep -q jobserver "$work/log"
result $? "make -j2 all guests: without a warning" "$work/log"
make -j1 -n all > "$work/log" 2>&1 && ! grep -qE -e '-j *[0-9]*[02-9]' "$work/log"
result $? "make -j1: nor is there more than one inside" "$work/log"
plan
