/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A character back end in front of another: passes everything on, both ways, and looks at what the guest writes. What
 * Linux says there is the only sign of its progress that needs no help from inside.
 */
#pragma once

#include "devices/char-backend.h"
#include "vmm/observe/timeline.h"

/* In front of INNER, which stays its owner's and must outlive it. First output and init go to TIMELINE. */
CharBackend *console_watch_new(CharBackend *inner, Timeline *timeline);
