/* SPDX-License-Identifier: Apache-2.0 */
/* What somebody probably meant by a name that is not known. Pure. */
#pragma once

/* The one of NAMES (ended by NULL) that is close enough to WANTED to be meant; NULL: none. */
const char *nearest_name(const char *wanted, const char *const *names);
