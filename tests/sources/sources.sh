#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What holds for the sources themselves: formatting, static analysis, layers. Prints TAP.
set -u
cd "$(dirname "$0")/../.." || exit 1
n=0

# check NAME COMMAND...: passes when the command succeeds; its output becomes the diagnosis.
check() {
    name=$1
    shift
    n=$((n + 1))
    if output=$("$@" 2>&1); then
        echo "ok $n - $name"
    else
        echo "not ok $n - $name"
        echo "$output" | sed 's/^/# /'
    fi
}

# check_clang TOOL NAME COMMAND...: the same, where there is the version of TOOL that the sources are held against.
check_clang() {
    if reason=$(tests/sources/clang.sh "$1" 2>&1); then
        shift
        check "$@"
    else
        n=$((n + 1))
        echo "ok $n - $2 # SKIP $reason"
    fi
}

# Passes when grep finds nothing.
nothing() {
    found=$(git grep -nE "$@") || return 0
    echo "$found"
    return 1
}

# What is not as it has to be is noticed: one of each kind, in a tree of its own.
layers_noticed() {
    tree=$(mktemp -d) || return
    mkdir -p "$tree/vmm/trace" "$tree/vmm/new" "$tree/devices" "$tree/fdt"
    echo '#include "vmm/exec/session.h"' > "$tree/vmm/trace/upwards.c"
    echo '#include <linux/kvm.h>' > "$tree/devices/kernel.c"
    echo '  fprintf(stderr, "oops");' > "$tree/vmm/trace/prints.c"
    echo '#include <glib.h>' | tee "$tree/vmm/loose.c" > "$tree/vmm/new/folder.c"
    found=$(tests/sources/layers.sh "$tree")
    rm -r "$tree"
    for file in vmm/trace/upwards.c:1 devices/kernel.c:1 vmm/trace/prints.c:1 vmm/loose.c vmm/new/folder.c; do
        echo "$found" | grep -q "^$file: " || { echo "nothing about $file in:" && echo "$found" && return 1; }
    done
}

# Programs of ours that start others, or may come to, hand them nothing but what they mean to: each descriptor is opened
# close-on-exec. Only those of the standard streams, for which /dev/null stands in, are meant to be inherited.
descriptors() {
    {
        git grep -nE '\b(open|openat|g_open|g_mkstemp_full|memfd_create|signalfd|timerfd_create|eventfd|epoll_create1|socket|socketpair|accept4|pipe2|dup3)\(' "$@" |
            grep -vE 'CLOEXEC|, flags\)|open\("/dev/null"|->open\(|: \*|/\*'
        git grep -nE '\b(mkstemp|g_mkstemp|g_file_open_tmp|popen|pipe|dup|epoll_create|creat|g_creat)\(|[^>*] accept\([a-z_]+, (NULL|\(struct)' "$@"
        git grep -nE '\b(fopen|gzopen|g_fopen)\([^,]*, *"[^"e]*"' "$@"
    } | grep .
    [ $? = 1 ]
}

# A licence in the head of every file that can carry a comment. Left out are data, and what is compared or drawn as it is.
licences() {
    bare=$(git grep -LE '^(/\*|#|<!--|\.\\") SPDX-License-Identifier: Apache-2\.0( OR GPL-2\.0-only)?( \*/| -->)?$' -- . \
        ':!LICENSE' ':!*.png' ':!*.svg' ':!*.dts' ':!guest-images/applets' ':!vmm/VERSION' ':!tests/fuzz/corpus')
    [ -n "$bare" ] || return 0
    echo "without a line SPDX-License-Identifier:"
    echo "$bare"
    return 1
}

# What is read whole has a bound (vmm/base/whole-file.h), but for what the kernel says in files of its own.
bounded() {
    git grep -nE '\b(g_file_get_contents|g_file_load_contents|g_key_file_load_from_file|g_mapped_file_new|json_parser_load_from_file|getline|getdelim)\(' \
        "$@" | grep -v '("/proc/' | grep .
    [ $? = 1 ]
}

# A file that a comment or a page names is there. Names in capitals stand for any, and layers_noticed makes some up.
named_files() {
    missing=$(git grep -ohE '(^|[^A-Za-z0-9/_.-])(vmm|devices|fdt|guest-images|tests|docs|findings)/[A-Za-z0-9/_.-]+\.(c|h|sh|md|ini)\b' \
        -- . ':!tests/sources/sources.sh' | sed 's/^[^a-z]//' | sort -u | grep -vE '[/-](NAME|KIND)\.' | while read -r file; do
        [ -e "$file" ] || git grep -nF "$file"
    done)
    echo "$missing"
    [ -z "$missing" ]
}

# Pages end at column 120 too, but for tables and what is shown as it is.
pages_wrapped() {
    git ls-files '*.md' | while read -r page; do
        awk '/^ *```/ {code = !code} !code && !/^( *\||    )/ {print FILENAME ":" FNR "\t" $0}' "$page"
    done | LC_ALL=C.UTF-8 grep -P '\t.{121}'
    [ $? = 1 ]
}

check_clang clang-format "clang-format changes nothing" make -s check-format
check "each folder includes only what stands below it, and only commands print" tests/sources/layers.sh
check "what does not is noticed" layers_noticed
check "each descriptor is close-on-exec" descriptors -- vmm devices fdt guest-images 'docs/*.c'
check "no file is read whole without a bound" bounded -- vmm devices fdt
check "each file names its licence" licences
check "each file that is named is there" named_files
# What is indented in a comment is a table or a picture.
check "comments are wrapped at 120 columns" nothing -e '^ *(/\*|//|\*) [^ ]' --and -e '^.{121}' -- '*.c' '*.h'
check "pages are wrapped at 120 columns" pages_wrapped
check "one dialect of atomics" nothing 'g_atomic_(int|pointer)_|\b_Atomic\b|__sync_' -- '*.c' '*.h'
check_clang clang-tidy "clang-tidy finds nothing" make -s check-tidy
# shellcheck disable=SC2046  # names without spaces
check "shellcheck finds nothing" shellcheck -x $(git ls-files '*.sh' docs/eret.bash-completion)
echo "1..$n"
