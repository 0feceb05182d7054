/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way to the user for those who have something of their own to show and are no command: only these print, and hand
 * this down. What merely happened goes to GLib's log.
 */
#pragma once

/*
 * TEXT, whole lines, each with what belongs in front of it. Waits at most WAIT_MS for a reader who takes nothing (-1:
 * as long as it takes). Main thread.
 */
typedef void (*Tell)(const char *text, int wait_ms);
