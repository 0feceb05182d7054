/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of the header before a frame (virtio 1.2, 5.1.6). Pure. */
#pragma once

#include "devices/backend/net-backend.h"

/*
 * A driver's HEADER of a frame of SIZE bytes, with OFFLOADS (NetOffload bits) that it may leave undone: puts right what
 * a driver may leave open or must not be believed, and returns NULL; or returns what is wrong with it.
 */
const char *net_header_check(NetHeader *header, unsigned offloads, uint64_t size);

/*
 * A back end's HEADER of a frame for a driver with OFFLOADS; it says nothing but what the driver asked for. False: the
 * driver could not make anything of the frame.
 */
bool net_header_fit(NetHeader *header, unsigned offloads);
