/* SPDX-License-Identifier: Apache-2.0 */
/* Copying what is large, beside other work. */
#pragma once

#include <stddef.h>

typedef struct Copy Copy;

/*
 * memcpy, begun by as many threads as there are CPUs beside this one, three at most, where SIZE is worth it. TO is best
 * aligned to 2 MiB. Nobody else touches either meanwhile.
 */
Copy *copy_begin(void *to, const void *from, size_t size);
/* Does what is left together with the others; then all of it is there. */
void copy_end(Copy *copy);
/* Leaves it where it is, unfinished. Takes NULL. */
void copy_cancel(Copy *copy);
