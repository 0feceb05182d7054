/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the sources that are proved call of GLib, for CBMC, which does not have its code: as GLib's manual has it, no
 * more. An assertion that does not hold is a fault. Locks do nothing, as each proof is of one thread, and CBMC does not
 * see what g_autoptr does at the end of a block. What is logged goes nowhere.
 */
#pragma once

#include <glib.h>

#include "tests/prove/prove.h"

void g_assertion_message_expr(const char *domain, const char *file, int line, const char *func, const char *expr) {
  prove(!"an assertion of the source holds");
  assume(false);
}

void g_log(const gchar *domain, GLogLevelFlags level, const gchar *format, ...) {
}

void g_mutex_lock(GMutex *mutex) {
}

void g_mutex_unlock(GMutex *mutex) {
}
