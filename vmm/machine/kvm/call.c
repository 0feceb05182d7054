/* SPDX-License-Identifier: Apache-2.0 */
/* Calls to KVM that are made in many places, and how their failure is told. No lock: nothing shared. */
#include "vmm/machine/kvm/call.h"

#include <errno.h>
#include <sys/ioctl.h>

#include "vmm/arm/kvm-abi.h"
#include "vmm/machine/machine.h"

G_DEFINE_QUARK(eret_machine_error, machine_error)

bool kvm_fail(GError **error, const char *format, ...) {
  const char *reason = g_strerror(errno);
  va_list arguments;

  va_start(arguments, format);
  g_autofree char *what = g_strdup_vprintf(format, arguments);
  va_end(arguments);
  g_set_error(error, MACHINE_ERROR, MACHINE_ERROR_HOST, "%s: %s", what, reason);
  return false;
}

unsigned kvm_check(int fd, int capability) {
  int value = ioctl(fd, KVM_CHECK_EXTENSION, capability);
  return value < 0 ? 0 : (unsigned)value;
}

bool kvm_enable(int vm_fd, uint32_t capability) {
  struct kvm_enable_cap request = {.cap = capability};
  return ioctl(vm_fd, KVM_ENABLE_CAP, &request) == 0;
}

bool kvm_offers_device(int vm_fd, uint32_t type) {
  struct kvm_create_device request = {.type = type, .flags = KVM_CREATE_DEVICE_TEST};
  return ioctl(vm_fd, KVM_CREATE_DEVICE, &request) == 0;
}

int kvm_create_device(int vm_fd, uint32_t type, const char *name, GError **error) {
  struct kvm_create_device request = {.type = type};

  if (ioctl(vm_fd, KVM_CREATE_DEVICE, &request) == 0)
    return (int)request.fd;
  kvm_fail(error, "cannot create the %s (KVM_CREATE_DEVICE)", name);
  return -1;
}

bool kvm_has_attr(int fd, uint32_t group, uint64_t attr) {
  struct kvm_device_attr request = {.group = group, .attr = attr};
  return ioctl(fd, KVM_HAS_DEVICE_ATTR, &request) == 0;
}

bool kvm_set_attr(int fd, uint32_t group, uint64_t attr, const void *value, const char *what, GError **error) {
  struct kvm_device_attr request = {.group = group, .attr = attr, .addr = (uintptr_t)value};

  return ioctl(fd, KVM_SET_DEVICE_ATTR, &request) == 0 ||
         kvm_fail(error, "cannot set %s (KVM_SET_DEVICE_ATTR group %u, attribute 0x%" G_GINT64_MODIFIER "x)", what, group, attr);
}
