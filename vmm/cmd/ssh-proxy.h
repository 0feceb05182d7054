/* SPDX-License-Identifier: Apache-2.0 */
/* What ssh(1) starts to be connected to a guest (ssh_config(5), ProxyCommand, ProxyUseFdpass). */
#pragma once

#include "vmm/control/known-machine.h"

/* The machine NAME, where its guest can be reached, now or when it has begun. NULL: the error says why not. */
KnownMachine *ssh_find_machine(const char *name, GError **error);

/*
 * Connects to sshd in the guest of the machine NAME, for as long as WAIT seconds while the guest has not come so far,
 * and hands the socket to whoever is at the other end of standard output, a socket too. Returns the exit status.
 */
int ssh_proxy(const char *name, unsigned wait);
/* As ssh_find_machine; one that has not begun is waited for, up to WAIT seconds. */
KnownMachine *ssh_await_machine(const char *name, unsigned wait, GError **error);
