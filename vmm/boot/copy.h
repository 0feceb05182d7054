/* Copying what is large. */
#pragma once

#include <stddef.h>

/* memcpy, by as many threads as there are CPUs, up to four, where SIZE is worth it. TO is best aligned to 2 MiB. */
void copy_large(void *to, const void *from, size_t size);
