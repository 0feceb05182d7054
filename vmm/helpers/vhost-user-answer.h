/* SPDX-License-Identifier: Apache-2.0 */
/* Helpers that speak vhost-user. */
#pragma once

#include "vmm/helpers/helper-process.h"

/*
 * Waits, at most HELPER_READY_MS, until PROCESS, of which FD is the connection, answers a question that may be asked at
 * any time. False: it has ended, or does not answer: the error is about NAME.
 */
bool vhost_user_answers(HelperProcess *process, const char *name, int fd, GError **error);
