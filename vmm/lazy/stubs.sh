#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Writes the stubs of the libraries that are loaded lazily, in assembly, on standard output: see lazy.c.
#
# Usage: stubs.sh PREFIX LIBRARY... -- OBJECT|ARCHIVE...
#   PREFIX    of the compiler and binutils, empty on ARM64
#   LIBRARY   as in -lLIBRARY: NAME, or :FILE
#   OBJECT    what calls them
set -eu

prefix=$1
shift
libraries=
while [ "$1" != -- ]; do
    libraries="$libraries $1"
    shift
done
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"${prefix}nm" --undefined-only "$@" 2>/dev/null | awk 'NF == 2 && $1 == "U" { print $2 }' | LC_ALL=C sort -u > "$work/called"
number=0
: > "$work/symbols"
: > "$work/names"
for library in $libraries; do
    case $library in :*) name=${library#:} ;; *) name=lib$library.so ;; esac
    file=$("${prefix}gcc" -print-file-name="$name")
    [ -e "$file" ] || { echo "stubs.sh: no $name for this compiler" >&2; exit 1; }
    soname=$("${prefix}readelf" -d "$file" | sed -n 's/.*(SONAME).*\[\(.*\)\].*/\1/p')
    "${prefix}nm" -D --defined-only "$file" | awk 'NF == 3 && $2 ~ /^[TWi]$/ { sub(/@.*/, "", $3); print $3 }' | LC_ALL=C sort -u > "$work/exported"
    LC_ALL=C comm -12 "$work/called" "$work/exported" | sed "s/\$/ $number/" >> "$work/symbols"
    echo "$soname" >> "$work/names"
    number=$((number + 1))
done

awk -v names="$work/names" '
    function row(text, size) { printf "\t.ascii \"%s\"\n\t.zero %d\n", text, size - length(text) }
    BEGIN { n = 0 }
    { symbol[n] = $1; library[n++] = $2 }
    END {
        print "/* Written by stubs.sh. */\n\t.text"
        for (i = 0; i < n; i++)
            printf "\t.globl %s\n\t.type %s, %%function\n%s:\n\tbti c\n\tadrp x16, lazy_slots + %d\n\tldr x16, [x16, :lo12:lazy_slots + %d]\n" \
                   "\tcbz x16, 1f\n\tbr x16\n1:\tmov w17, %d\n\tb lazy_trampoline\n", symbol[i], symbol[i], symbol[i], 8 * i, 8 * i, i
        print "\t.section .data.rel.ro, \"aw\"\n\t.balign 8\n\t.globl lazy_slots\nlazy_slots:"
        printf "\t.zero %d\n", 8 * n
        print "\t.section .rodata\n\t.globl lazy_symbols\nlazy_symbols:"
        for (i = 0; i < n; i++) { row(symbol[i], 63); printf "\t.byte %d\n", library[i] }
        print "\t.section .lazy_libraries, \"a\"\n\t.globl lazy_libraries\nlazy_libraries:"
        while ((getline line < names) > 0) row(line, 32)
        print "\t.zero 32"
        print "#include \"vmm/lazy/notes.inc\""
    }
' "$work/symbols"
