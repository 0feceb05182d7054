#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A real use: the kernel's own tests (tools/testing/selftests) in guests, by the kernel's own runner, each of their results one of ours.
# limit: 1200
# serial
# shellcheck source=tests/host/lib.sh
. "$LIB"

new_guest "$SUITES/selftests.ini"
"$ERET" test --define "KERNELS=$(realpath "$KERNELS")" --define "SELFTESTS=$(realpath "$SELFTESTS")" --tap -j 2 --logs logs --junit junit.xml \
    --json selftests.json "$SUITES/selftests.ini" > out 2> "$errors" 3>&- < /dev/null
is "$?" 1 "a self-test that cannot pass fails the run"

for collection in size sigaltstack core membarrier timens proc breakpoints arm64; do
    like out "^ok [0-9]+ - selftests/selftests\[collection=$collection\]$" "$collection passes"
done
like out '^ok [0-9]+ - selftests/clone3$' "clone3 passes"
like out '^ok [0-9]+ - selftests/not-in-this-kernel # SKIP' "what this kernel lacks is skipped"
like out '^not ok [0-9]+ - selftests/fails$' "the one that cannot pass fails"

# Each result of theirs is one of ours.
like out '^    ok [0-9]+ - core/close_range_test/global.close_range_unshare$' "results of a test by the kernel's harness"
like out '^    ok [0-9]+ - arm64/hwcap/cpuinfo_match_SVE$' "of one that prints them itself"
like out '^    ok [0-9]+ - ptrace/get_syscall_info/' "also in a case that fails"
like out '^    not ok [0-9]+ - ptrace/get_set_sud/' "where the one that failed is named"
like junit.xml 'name="[^"]*get_set_sud' "in JUnit too"
n=$(grep -c '^    ok ' out)
if [ "$n" -ge 450 ]; then passed "there are $n of them"; else failed "only $n results passed"; fi
is "$(grep -c '^    not ok ' out)" 1 "and one did not"
like "$errors" '9 passed, 1 failed, 1 skipped' "the summary counts the cases"
