/* SPDX-License-Identifier: Apache-2.0 */
/* What eret has to say on standard error. Main thread. */
#pragma once

#include <glib.h>

/*
 * MESSAGE in lines, each behind "eret: ", so that all can tell whose they are. Names in it may be anybody's: they come
 * escaped (devices/printable.h). Each begins on a line of its own, whatever a guest has written before it
 * (devices/backend/message.h).
 */
void complain(const char *message);

/*
 * The default handler of GLib's log (g_log_set_default_handler): complains of all but what is for debugging. Any
 * thread.
 */
void complain_of_log(const char *domain, GLogLevelFlags level, const char *message, gpointer data);
