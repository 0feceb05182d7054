#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# guest-images/eret-hypercall.h compiles without a warning wherever it may be included: C99 and later, here and for ARM64, as a kernel module would, and
# with the other compiler. Prints TAP.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
evidence=$work/messages

cat > "$work/all.c" <<'SOURCE'
#include "eret-hypercall.h"

int64_t all(struct eret_door door);
int64_t all(struct eret_door door) {
  uint64_t a, b, x[ERET_N_REGISTERS] = {0};

  return eret_version(door, &a, &b) + eret_write(door, "text", 4) + eret_mark(door, 1, "name", 4) + eret_ready(door) + eret_exit(door, 1) +
         eret_time(door, &a, &b) + eret_nop(door) + eret_call(door, ERET_FN_NOP, x, 17, 18);
}
SOURCE
# A kernel has no headers of the C library.
mkdir -p "$work/kernel/linux"
cat > "$work/kernel/linux/types.h" <<'SOURCE'
#define NULL ((void *)0)
typedef unsigned int uint32_t;
typedef unsigned long long uint64_t;
typedef long long int64_t;
typedef unsigned long uintptr_t;
typedef unsigned long size_t;
SOURCE

# compiles NAME COMPILER OPTION...
compiles() {
    name=$1
    shift
    if ! command -v "$1" > /dev/null; then
        skip "$name" "no $1"
        return
    fi
    "$@" -Werror -Wall -Wextra -Wshadow -Wconversion -O2 -Iguest-images -c -o "$work/all.o" "$work/all.c" > "$work/messages" 2>&1
    result $? "$name"
}

if [ "$(uname -m)" = aarch64 ]; then cross=gcc; else cross=aarch64-linux-gnu-gcc; fi
kernel="-std=gnu11 -D__KERNEL__ -nostdinc -I$work/kernel -ffreestanding -mgeneral-regs-only -ffixed-x18 -fno-omit-frame-pointer"
for standard in c99 c11 c17; do
    compiles "$standard, pedantic, here" gcc "-std=$standard" -pedantic
    compiles "$standard, pedantic, for ARM64" "$cross" "-std=$standard" -pedantic
done
# shellcheck disable=SC2086  # words
compiles "in a kernel" "$cross" $kernel
compiles "on bare metal" "$cross" -std=gnu11 -ffreestanding -mgeneral-regs-only -mstrict-align
compiles "by clang, here" clang -std=c99 -pedantic
# shellcheck disable=SC2086
compiles "by clang, in a kernel" clang --target=aarch64-linux-gnu $kernel
plan
