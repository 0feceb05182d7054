/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream of frames as the back end of a network card: a stream socket on which each frame is behind its length in 32
 * bits, big-endian. passt speaks it, and two machines may, with each other.
 */
#pragma once

#include "devices/backend/net-backend.h"
#include "devices/user-network.h"

/*
 * FD is a connected stream socket, and the back end's from now on. NAME is for people ("passt"). When the other end
 * has left, the link is down for good.
 */
NetBackend *net_stream_take_fd(const char *name, int fd, GError **error);

/*
 * The socket PATH, at which another machine's is met: who comes first listens. The link is down until the other is
 * there, and after it has left, until the next comes.
 */
NetBackend *net_stream_meet(const char *path, GError **error);

/*
 * What a user network sends; NETWORK is the back end's from now on. RESTRICTED: only what answer-filter.h lets pass
 * goes out. After it is lost, the link is down until a reset has brought the next.
 */
NetBackend *net_stream_of(UserNetwork *network, bool restricted);
