/* SPDX-License-Identifier: Apache-2.0 */
/* Calls to KVM that are made in many places. Linux: Documentation/virt/kvm/api.rst, 4.79 and 4.80. Any thread. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

int kvm_create_device(int vm_fd, uint32_t type, const char *name, GError **error);
bool kvm_set_attr(int fd, uint32_t group, uint64_t attr, const void *value, const char *what, GError **error);

/* Sets a GError for the failed step WHAT from errno. */
void kvm_set_error(GError **error, const char *what);
