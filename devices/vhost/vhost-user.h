/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Queues that a process behind a socket serves: the front end of vhost-user. QEMU: docs/interop/vhost-user.rst.
 *
 * The process sees all of guest memory, which must be shared for that (guest_memory_add_shared); it is trusted with the
 * guest, and with nothing else.
 */
#pragma once

#include "devices/helper.h"
#include "devices/vhost/vhost.h"

/* A connected stream socket to the back end, that will be the caller's; -1 with an error. Called at each connection. */
typedef int (*VhostUserOpen)(void *opaque, GError **error);

/*
 * The back end that listens at PATH, and is connected to later. CONFIG: the device's configuration may be asked of it.
 * Errors of connect name the path.
 */
Vhost *vhost_user_new(const char *path, bool config);
/* The same behind what OPEN gives. NAME is for people: "passt". FREE_OPAQUE may be NULL. */
Vhost *vhost_user_new_with(const char *name, bool config, VhostUserOpen open, void *opaque, void (*free_opaque)(void *opaque));
/* The same of a helper, which is taken over. */
Vhost *vhost_user_new_of(Helper *take_helper, bool config);
