/* SPDX-License-Identifier: Apache-2.0 */
/* Names of what KVM_RUN returns with. Linux: include/uapi/linux/kvm.h, Documentation/virt/kvm/api.rst, 5 (kvm_run). */
#pragma once

#include <stdint.h>

/* "KVM_EXIT_MMIO"; NULL for a number that is none. Static. */
const char *exit_reason_name(uint64_t reason);
/* Never NULL: else "exit reason 99". Free with g_free. */
char *exit_reason_describe(uint64_t reason);
/* Of KVM_EXIT_SYSTEM_EVENT: "SHUTDOWN"; NULL for a number that is none. Static. */
const char *system_event_name(uint64_t type);
