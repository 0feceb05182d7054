/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls to KVM that are made in many places. Linux: Documentation/virt/kvm/api.rst, 4.4, 4.37, 4.79 and 4.80. Any
 * thread.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* Sets a GError for the failed step that is named, with the reason from errno. False. */
bool kvm_fail(GError **error, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* What /dev/kvm, or a VM, says of a capability; 0: it has none. */
unsigned kvm_check(int fd, int capability);
/* False with errno. */
bool kvm_enable(int vm_fd, uint32_t capability);

bool kvm_offers_device(int vm_fd, uint32_t type);
int kvm_create_device(int vm_fd, uint32_t type, const char *name, GError **error);
/* Of a device, a VM or a vCPU. */
bool kvm_has_attr(int fd, uint32_t group, uint64_t attr);
bool kvm_set_attr(int fd, uint32_t group, uint64_t attr, const void *value, const char *what, GError **error);
