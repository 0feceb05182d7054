/* SPDX-License-Identifier: Apache-2.0 */
/* Units of time. */
#pragma once

#include <stdint.h>

#define NS_PER_SECOND INT64_C(1000000000)
#define NS_PER_MS     INT64_C(1000000)
#define NS_PER_US     INT64_C(1000)
