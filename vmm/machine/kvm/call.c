/* SPDX-License-Identifier: Apache-2.0 */
/* Calls to KVM that are made in many places, and how their failure is told. No lock: nothing shared. */
#include "vmm/machine/kvm/call.h"

#include <errno.h>
#include <sys/ioctl.h>

#include "vmm/arm/kvm-abi.h"
#include "vmm/machine/machine.h"

G_DEFINE_QUARK(eret_machine_error, machine_error)

void kvm_set_error(GError **error, const char *what) {
  g_set_error(error, MACHINE_ERROR, MACHINE_ERROR_HOST, "%s: %s", what, g_strerror(errno));
}

int kvm_create_device(int vm_fd, uint32_t type, const char *name, GError **error) {
  struct kvm_create_device request = {.type = type};

  if (ioctl(vm_fd, KVM_CREATE_DEVICE, &request) < 0) {
    g_autofree char *what = g_strdup_printf("cannot create the %s (KVM_CREATE_DEVICE)", name);
    kvm_set_error(error, what);
    return -1;
  }
  return (int)request.fd;
}

bool kvm_set_attr(int fd, uint32_t group, uint64_t attr, const void *value, const char *what, GError **error) {
  struct kvm_device_attr request = {.group = group, .attr = attr, .addr = (uintptr_t)value};

  if (ioctl(fd, KVM_SET_DEVICE_ATTR, &request) == 0)
    return true;
  g_autofree char *step =
      g_strdup_printf("cannot set %s (KVM_SET_DEVICE_ATTR group %u, attribute 0x%" G_GINT64_MODIFIER "x)", what, group, attr);
  kvm_set_error(error, step);
  return false;
}
