/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process of ours that stays outside when this one goes into its cage (vmm/cage/): it starts a machine's helpers
 * again, signals them, and says farewell. It is a copy of this process, of the moment when they part: what it can do is
 * what was entered before, and it is asked by number. So whoever takes this process over afterwards can have done no
 * more than a reboot of the guest does.
 *
 * No lock: main thread. It ends with this process, however that ends.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#include "vmm/helpers/helper-spawn.h"

Broker *broker_new(void);
Broker *broker_ref(Broker *broker);
void broker_unref(Broker *broker); /* takes NULL; with the last one its process ends */

/* Before they part. */

/*
 * A helper of CONFIG, which may be started again, runs: its process, of PID_FD, which stays open until it is forgotten.
 * Its number. What CONFIG's set_up is given must last as long as the broker, and is not to change.
 */
unsigned broker_allow(Broker *broker, const HelperConfig *config, int pid_fd);
/* What is done at the end, once: FAREWELL, there, with OPAQUE, for which the N descriptors FDS stay open. */
void broker_set_farewell(Broker *broker, void (*farewell)(void *opaque), void *opaque, const int *fds, unsigned n);
/* Whether there is anything for which one is needed. */
bool broker_has_work(const Broker *broker);
/* Makes the process; this one has a single thread. */
bool broker_part(Broker *broker, GError **error);

bool broker_is_apart(const Broker *broker);

/* Afterwards. */

/* As helper_spawn, of a CONFIG that was allowed. *NUMBER: the process's. */
bool broker_start(Broker *broker, const HelperConfig *config, HelperEnds *ends, unsigned *number, GError **error);
/* Sends NUMBER's process a signal, SIGTERM or SIGKILL. False: it has ended, or the broker has. */
bool broker_signal(Broker *broker, unsigned number, int signal_number);
/* Whether the process, which the broker started, has ended: *STATUS, as waitpid(2) has it. */
bool broker_reap(Broker *broker, unsigned number, int *status);
/* Nothing is asked of it any more; before and after they part. */
void broker_forget(Broker *broker, unsigned number);
/* Has the farewell said. */
void broker_say_farewell(Broker *broker);
