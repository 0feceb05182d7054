/* SPDX-License-Identifier: Apache-2.0 */
/* Where the files are that come with eret. */
#pragma once

/*
 * The directories, absolute, that programs for guests may lie in: where the build and where `make install` put them,
 * beside this program. Free with g_strfreev.
 */
char **own_directories(void);
