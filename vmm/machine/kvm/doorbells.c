/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Doorbells on KVM: a write of the guest's that becomes an event in the kernel, without an exit to userspace. Linux:
 * Documentation/virt/kvm/api.rst, KVM_IOEVENTFD.
 *
 * `lock` guards all of it.
 */
#include "vmm/machine/kvm/doorbells.h"

#include <sys/ioctl.h>

#include "vmm/arm/kvm-abi.h"
#include "vmm/machine/kvm/call.h"

typedef struct {
  uint64_t address;
  unsigned size;
  bool match;
  uint32_t value;
  int fd;
} Doorbell;

struct KvmDoorbells {
  Doorbells base; /* first: devices know it */
  GMutex lock;
  int vm_fd;     /* -1: not connected */
  GArray *bells; /* of Doorbell */
};

static bool bind_bell(const KvmDoorbells *doorbells, const Doorbell *bell, bool bound) {
  struct kvm_ioeventfd request = {
      .addr = bell->address,
      .len = bell->size,
      .fd = bell->fd,
      .datamatch = bell->value,
      .flags = (bell->match ? KVM_IOEVENTFD_FLAG_DATAMATCH : 0) | (bound ? 0 : KVM_IOEVENTFD_FLAG_DEASSIGN),
  };

  return doorbells->vm_fd < 0 || ioctl(doorbells->vm_fd, KVM_IOEVENTFD, &request) == 0;
}

static bool attach(Doorbells *base, uint64_t address, unsigned size, bool match, uint32_t value, int fd) {
  KvmDoorbells *doorbells = (KvmDoorbells *)base;
  Doorbell bell = {address, size, match, value, fd};

  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&doorbells->lock);
  bool bound = bind_bell(doorbells, &bell, true);
  if (bound)
    g_array_append_val(doorbells->bells, bell);
  return bound;
}

static void detach(Doorbells *base, uint64_t address, unsigned size, bool match, uint32_t value, int fd) {
  KvmDoorbells *doorbells = (KvmDoorbells *)base;

  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&doorbells->lock);
  for (unsigned i = 0; i < doorbells->bells->len; i++) {
    const Doorbell *bell = &g_array_index(doorbells->bells, Doorbell, i);
    if (bell->address == address && bell->fd == fd && bell->value == value && bell->size == size && bell->match == match) {
      bind_bell(doorbells, bell, false);
      g_array_remove_index_fast(doorbells->bells, i);
      break;
    }
  }
}

KvmDoorbells *kvm_doorbells_new(void) {
  KvmDoorbells *doorbells = g_new0(KvmDoorbells, 1);

  doorbells->base = (Doorbells){attach, detach};
  doorbells->vm_fd = -1;
  g_mutex_init(&doorbells->lock);
  doorbells->bells = g_array_new(FALSE, FALSE, sizeof(Doorbell));
  return doorbells;
}

void kvm_doorbells_free(KvmDoorbells *doorbells) {
  if (!doorbells)
    return;
  g_array_unref(doorbells->bells);
  g_mutex_clear(&doorbells->lock);
  g_free(doorbells);
}

Doorbells *kvm_doorbells_base(KvmDoorbells *doorbells) {
  return &doorbells->base;
}

bool kvm_doorbells_connect(KvmDoorbells *doorbells, int vm_fd, GError **error) {
  g_autoptr(GMutexLocker) locker = g_mutex_locker_new(&doorbells->lock);

  doorbells->vm_fd = vm_fd;
  for (unsigned i = 0; i < doorbells->bells->len; i++)
    if (!bind_bell(doorbells, &g_array_index(doorbells->bells, Doorbell, i), true)) {
      doorbells->vm_fd = -1;
      return kvm_fail(error, "cannot connect doorbells to the VM (KVM_IOEVENTFD)");
    }
  return true;
}
