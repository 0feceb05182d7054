/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A page of registers that hold what is written to them, byte by byte, and do nothing: for programs that measure
 * accesses to devices or try all forms of them. Not in a machine unless it was asked for. Device-tree binding:
 * compatible "eret,scratch", reg.
 */
#pragma once

#include "devices/device-kind.h"

#define SCRATCH_SIZE 0x1000

extern const DeviceKind scratch_kind;
