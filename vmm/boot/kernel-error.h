/* SPDX-License-Identifier: Apache-2.0 */
/* What can be wrong with a kernel's file. */
#pragma once

#include <glib.h>

typedef enum {
  KERNEL_ERROR_READ,        /* cannot be opened or read */
  KERNEL_ERROR_FORMAT,      /* is something else: the message says what */
  KERNEL_ERROR_CORRUPT,     /* truncated or inconsistent */
  KERNEL_ERROR_UNSUPPORTED, /* right kind, but not for this machine (big-endian, page size, AArch32) */
  KERNEL_ERROR_PLACEMENT,   /* does not fit */
} KernelError;
#define KERNEL_ERROR (kernel_error_quark())
GQuark kernel_error_quark(void);
