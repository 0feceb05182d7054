/* SPDX-License-Identifier: Apache-2.0 */
/* Kernels that this machine has installed, for guests of which nobody has said a kernel. No lock: nothing shared. */
#pragma once

/* The kernel that this machine runs itself, where it is an ARM64 one and may be read; NULL: none. Free with g_free. */
char *installed_kernel_running(void);
/*
 * The newest one for ARM64 that may be read in DIRECTORY, "/boot", by the names that Debian gives them:
 * vmlinuz-6.12.95+deb13-arm64. NULL: none. Free with g_free.
 */
char *installed_kernel_newest(const char *directory);
