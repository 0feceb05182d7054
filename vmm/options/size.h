/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes as people write them. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * "512M", "4G", "1048576"; suffixes K M G T (binary), optional iB/B; "1.5G" is an error. False with a reason in *WHY
 * (static).
 */
bool size_parse(const char *text, uint64_t *size, const char **why);
/* "512M": the largest unit that divides it. Free with g_free. */
char *size_format(uint64_t size);
