/* SPDX-License-Identifier: Apache-2.0 */
/* The host's clock and timers on the default main context, as devices see them. */
#pragma once

#include "devices/clock.h"

Clock *clock_host_new(void);
void clock_host_free(Clock *clock); /* all timers freed; takes NULL */
