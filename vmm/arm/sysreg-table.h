/* SPDX-License-Identifier: Apache-2.0 */
/* The table behind sysreg.h: sorted by encoding, then direction. */
#pragma once

#include <stdint.h>

/* Of the few encodings that are two registers, one for MRS and one for MSR, each has its own row. */
typedef enum { SYSREG_BOTH, SYSREG_READ, SYSREG_WRITE } SysregDirection;

typedef struct {
  const char *name;
  uint16_t encoding; /* SYSREG */
  uint8_t direction; /* SysregDirection */
} SysregRow;

extern const SysregRow sysreg_table[];
extern const unsigned sysreg_table_length;
