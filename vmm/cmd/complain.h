/* SPDX-License-Identifier: Apache-2.0 */
/* What eret has to say on standard error. Main thread. */
#pragma once

#include <glib.h>

#include "vmm/config/config.h"

/*
 * MESSAGE, a line, behind "eret: ", so that all can tell whose it is. Names in it may be anybody's: they come escaped
 * (devices/printable.h), with their line feeds. It begins on a line of its own, whatever a guest has written before it
 * (devices/backend/message.h). Of one with more than COMPLAIN_LINE_MAX bytes the middle is left out.
 */
#define COMPLAIN_LINE_MAX 1000
void complain(const char *message);
void complain_format(const char *format, ...) G_GNUC_PRINTF(1, 2);
/*
 * The same of each line of MESSAGE, up to COMPLAIN_LINES_MAX; of others only how many there are. Names in it have no
 * line feeds any more (vmm/base/mistakes.h).
 */
#define COMPLAIN_LINES_MAX 50
void complain_lines(const char *message);
/* The one or the other, as is due to ERROR. Returns STATUS. */
int complain_of(const GError *error, int status);

/* What the user may want to know of a machine that is to be: config_note, where there is one. */
void complain_of_note(const Config *config);

/* The command's help; with ERROR, what is wrong with its options instead. Returns the status. */
int answer(const OptionSet *set, const GError *error);
/* The same, where DRAFT does not let the command begin; else false, and *STATUS is left alone. */
bool answer_options(const OptionDraft *draft, int *status);

/*
 * The default handler of GLib's log (g_log_set_default_handler): complains of all but what is for debugging. Any
 * thread.
 */
void complain_of_log(const char *domain, GLogLevelFlags level, const char *message, gpointer data);
