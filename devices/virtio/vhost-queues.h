/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Queues of a virtio device that a Vhost serves: what every device type that has some does at its start, its stop and
 * its reset, and when the other side is lost. A type may have several, each with queues of its own, beside others that
 * it serves itself.
 *
 * No lock: made before the device is connected, then of its I/O thread.
 */
#pragma once

#include "devices/vhost/vhost.h"
#include "devices/virtio/virtio.h"

typedef struct VhostQueues VhostQueues;

/*
 * Queues FIRST to FIRST + N - 1 of DEVICE are rings 0 to N - 1 of VHOST, which is taken over, also by a failure, and
 * is connected. What the guest is offered is the type's to decide: see vhost_queues_features.
 */
VhostQueues *vhost_queues_new(VirtioDevice *device, Vhost *vhost, unsigned first, unsigned n, GError **error);
void vhost_queues_free(VhostQueues *queues); /* stopped; takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VhostQueues, vhost_queues_free)

/*
 * Of what VHOST, connected, offers, that which a guest may be offered: features of the device type, and those of rings
 * that the transports can carry. A type adds only what it serves itself.
 */
uint64_t vhost_queues_features(const Vhost *vhost);

/*
 * For a type whose configuration is the other side's; both on the I/O thread. CHANGED when that has said (TOLD) that
 * the configuration is another, or is a new one, whose configuration may be. TELL_ANEW of a new one, before its rings
 * start: it is to know what the driver has written there; false is a reason to do without it.
 */
void vhost_queues_on_config(VhostQueues *queues, void (*changed)(VirtioDevice *device, bool told),
                            bool (*tell_anew)(VirtioDevice *device, GError **error));

/*
 * From the type's start: connects anew where it was lost, and hands over all queues that run. False: the device has
 * failed (virtio_fail said why). Where the one before it has written down what it had in flight, and nobody is there to
 * go on with it, somebody is waited for, for up to a minute.
 */
bool vhost_queues_start(VhostQueues *queues);
/* From the type's stop, whether it was started or not: all are back, with where they go on. */
void vhost_queues_stop(VhostQueues *queues);
/* From the type's reset: what an earlier driver did is to be forgotten. */
void vhost_queues_reset(VhostQueues *queues);
/*
 * What is said to it beside (its configuration) has failed with ERROR: it is lost, and the device with it, or another
 * is waited for. On the I/O thread.
 */
void vhost_queues_lost(VhostQueues *queues, const GError *error);
