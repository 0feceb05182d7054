/* SPDX-License-Identifier: Apache-2.0 */
/* A tap or macvtap device of the host's as the back end of a network card. */
#pragma once

#include "devices/backend/net-backend.h"

/*
 * The tap device NAME, which must exist and be the caller's (or the caller may administer the network), with N_PAIRS
 * queues; more than one needs a device that was made with multi_queue.
 */
NetBackend *tap_open(const char *name, unsigned n_pairs, GError **error);

/*
 * Descriptors of a tap or macvtap that somebody else has opened (with IFF_NO_PI), one a queue pair. They are the back
 * end's from now on, whatever happens.
 */
NetBackend *tap_take_fds(const int *fds, unsigned n, GError **error);
