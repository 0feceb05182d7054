/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The virtio core (virtio 1.2, chapters 2 and 3): one VirtioDevice is a device type (block, console ...) with its
 * queues, features, status and configuration, the same behind each transport (virtio-pci, virtio-mmio).
 *
 * Threads. The transport calls from a vCPU thread with its device's lock held; a device type's start, notify, and stop
 * run on the device's I/O thread. Queues belong to the I/O thread from DRIVER_OK until reset; a type may have others
 * for some (VirtioDeviceOps.io), which then are those queues' in every respect. The device's own calls these, and
 * waits; none of them waits for it. `status` and interrupt state are atomics. A transport's notify callbacks come from
 * the I/O threads and take no device lock.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "devices/device-kind.h"
#include "devices/device-watch.h"
#include "devices/guest-memory.h"
#include "devices/io-thread.h"
#include "devices/log-limit.h"
#include "devices/virtio/virtqueue.h"

typedef struct VirtioDevice VirtioDevice;
typedef struct VirtioDoorbell VirtioDoorbell;

/* Device IDs: virtio 1.2, chapter 5. */
typedef enum {
  VIRTIO_ID_NET = 1,
  VIRTIO_ID_BLOCK = 2,
  VIRTIO_ID_CONSOLE = 3,
  VIRTIO_ID_ENTROPY = 4,
  VIRTIO_ID_INPUT = 18,
  VIRTIO_ID_VSOCK = 19
} VirtioId;

/* Device status: virtio 1.2, 2.1. */
typedef enum {
  VIRTIO_STATUS_ACKNOWLEDGE = 1,
  VIRTIO_STATUS_DRIVER = 2,
  VIRTIO_STATUS_DRIVER_OK = 4,
  VIRTIO_STATUS_FEATURES_OK = 8,
  VIRTIO_STATUS_NEEDS_RESET = 64,
  VIRTIO_STATUS_FAILED = 128,
} VirtioStatus;

/* Reserved feature bits (virtio 1.2, chapter 6) that the core offers and handles for every device. */
#define VIRTIO_F_INDIRECT_DESC (UINT64_C(1) << 28)
#define VIRTIO_F_EVENT_IDX     (UINT64_C(1) << 29)
#define VIRTIO_F_VERSION_1     (UINT64_C(1) << 32)

typedef struct {
  VirtioId id;
  const char *name;   /* "virtio-blk" */
  bool shared_vector; /* one interrupt vector is enough for all queues: each costs set-up, and none of them is busy */

  /*
   * The device-specific configuration space. Reads beyond config_size give zeros. write is optional. Transport's thread
   * and lock.
   */
  unsigned config_size;
  void (*config_read)(VirtioDevice *device, unsigned offset, void *to, unsigned size);
  void (*config_write)(VirtioDevice *device, unsigned offset, const void *from, unsigned size);

  /*
   * On the I/O thread. start: DRIVER_OK, device->features negotiated, queues running. stop: leave no request in flight.
   */
  void (*start)(VirtioDevice *device);
  void (*notify)(VirtioDevice *device, unsigned queue); /* there may be new chains in QUEUE; on QUEUE's thread */
  void (*stop)(VirtioDevice *device);
  /*
   * Whether QUEUE, which may be served elsewhere, is served here for the driver that has negotiated device->features.
   * Optional: it is not.
   */
  bool (*serves)(const VirtioDevice *device, unsigned queue);
  /*
   * The thread of QUEUE for the driver that has negotiated device->features; the core starts it. It is the type's, and
   * outlives the queue's service. Optional: it is device->io.
   */
  IoThread *(*io)(const VirtioDevice *device, unsigned queue);

  /*
   * Back to power-on, after stop: the device, and one queue of it, of whose chains nothing must be left. A device's
   * reset is one of all its queues, too. Optional, both.
   */
  void (*reset)(VirtioDevice *device);
  void (*queue_reset)(VirtioDevice *device, unsigned queue);
  /*
   * What queues that are served elsewhere have carried, as somebody else counts it, since whenever. False: nobody does.
   * Any thread. Optional.
   */
  bool (*traffic)(const VirtioDevice *device, DeviceTraffic *traffic);
  void (*free)(VirtioDevice *device);
} VirtioDeviceOps;

/* What a transport does for its device. Any thread. */
typedef struct {
  void (*queue_interrupt)(void *transport, unsigned queue);
  void (*config_interrupt)(void *transport);
  /*
   * The configuration space is another than it was, and not by a write of the driver's; before the interrupt that says
   * so. Optional.
   */
  void (*config_changed)(void *transport);
} VirtioTransportOps;

struct VirtioDevice {
  const VirtioDeviceOps *ops;
  char *name;                /* of this instance: "virtio-blk0" */
  uint64_t offered_features; /* the device type's own and the core's */
  uint64_t driver_features;  /* what the driver wrote so far */
  uint64_t features;         /* negotiated, valid from FEATURES_OK on */
  int status;                /* VirtioStatus bits; atomic */
  int config_generation;     /* atomic; odd while a new configuration is on its way to the transport */
  IoThread *io;
  unsigned n_queues;
  VirtQueue *queues;
  int *doorbell_fds;         /* one event descriptor a queue: what the transport attaches to Doorbells and signals itself otherwise */
  VirtioDoorbell *doorbells; /* one a queue */
  int *call_fds;             /* one a queue: how who serves it elsewhere interrupts, or -1; NULL: all are served here */
  const char *served_by;     /* who serves those, for people; NULL: all are served here */
  bool started, paused;      /* transport's thread: DRIVER_OK was taken; between pause and resume */
  bool serving;              /* atomic; between the type's start and stop */
  LogLimit failures;         /* of the thread that has set NEEDS_RESET */
  const VirtioTransportOps *transport_ops;
  void *transport;
  DeviceWatch *watch;       /* NULL: nobody counts; set before the device is used */
  const IoThreads *threads; /* how its threads are started, as io_thread_start takes it; set before the device is used */
};

/*
 * For device types: the base part, with its I/O thread. FEATURES are the type's own. Queue sizes are each at most
 * VIRTQUEUE_MAX_SIZE, powers of two. After a failure there is nothing to clear, but virtio_device_clear may be called.
 * After start and after resume each running queue gets one notify, whether its doorbell rang or not.
 */
bool virtio_device_init(VirtioDevice *device, const VirtioDeviceOps *ops, const char *name, const GuestMemory *memory, uint64_t features,
                        unsigned n_queues, const uint16_t *queue_sizes, GError **error);
/*
 * QUEUE is served elsewhere, by the kernel or by another process; before a transport takes the device. The core checks,
 * starts and stops it as any other, but nobody here listens to its doorbell, and there is no notify for it. The type's
 * start hands out what is in queues[QUEUE], doorbell_fds[QUEUE] and call_fds[QUEUE]; its stop, after which nobody else
 * touches the queue, says by virtio_taken_back where it will go on.
 */
bool virtio_serve_elsewhere(VirtioDevice *device, unsigned queue, GError **error);
/*
 * For VirtioDeviceOps.io, a thread of some queue's own: by its name, which has NUMBER, one sees in /proc whose it is.
 */
IoThread *virtio_new_queue_thread(const VirtioDevice *device, unsigned number, GError **error);
void virtio_device_clear(VirtioDevice *device);
void virtio_device_free(VirtioDevice *device); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(VirtioDevice, virtio_device_free)

/*
 * For device types, on the I/O thread of the queue. pop marks the device NEEDS_RESET when the queue is broken (and
 * returns -1).
 */
int virtio_pop(VirtioDevice *device, unsigned queue, VirtChain *chain);
void virtio_push(VirtioDevice *device, unsigned queue, uint16_t head, uint32_t written);
void virtio_push_many(VirtioDevice *device, unsigned queue, const VirtUsed *used, unsigned n);
void virtio_interrupt(VirtioDevice *device, unsigned queue); /* after pushes; only if the driver wants one */
/* Has the queue's notify called once more, after what else the thread has to do. */
void virtio_notify_again(VirtioDevice *device, unsigned queue);
/*
 * The guest broke a rule of the device type: NEEDS_RESET, and its queues are not served until reset. WHY is logged,
 * unless that was so too often of late.
 */
void virtio_fail(VirtioDevice *device, const char *why);
/* For a type's stop: elsewhere, chains of QUEUE were taken up to the available index NEXT, and returned. */
void virtio_taken_back(VirtioDevice *device, unsigned queue, uint16_t next);
/* The configuration space changed: new generation, configuration interrupt. Any thread. */
void virtio_config_changed(VirtioDevice *device);

/* For transports, on the thread of the access and with its lock. */
void virtio_device_connect(VirtioDevice *device, const VirtioTransportOps *ops, void *transport);
uint8_t virtio_get_status(const VirtioDevice *device);
/* Status writes: 0 resets; FEATURES_OK is taken only if the features are acceptable; DRIVER_OK starts the queues. */
void virtio_set_status(VirtioDevice *device, uint8_t status);
void virtio_set_driver_features(VirtioDevice *device, unsigned word, uint32_t value); /* word 0: bits 0-31, 1: bits 32-63 */
uint32_t virtio_get_device_features(const VirtioDevice *device, unsigned word);
uint32_t virtio_get_driver_features(const VirtioDevice *device, unsigned word);
/* A doorbell that did not go through Doorbells: signals doorbell_fds[queue]; out of range is ignored. */
void virtio_ring_doorbell(VirtioDevice *device, unsigned queue);
/*
 * The descriptor whose signals are interrupts of QUEUE, or -1. A transport may have the host take them, as long as none
 * is lost: one that stays is read on the I/O thread, which calls queue_interrupt.
 */
int virtio_call_fd(const VirtioDevice *device, unsigned queue);
/*
 * SIZE bytes of the configuration space from OFFSET on: zeros beyond its end; a write that is not wholly inside is
 * ignored.
 */
void virtio_config_read(VirtioDevice *device, uint64_t offset, void *to, unsigned size);
void virtio_config_write(VirtioDevice *device, uint64_t offset, const void *from, unsigned size);
/*
 * The queue at the driver's INDEX, or NULL; the second only while its configuration may still be written: not ready,
 * before DRIVER_OK.
 */
const VirtQueue *virtio_queue(const VirtioDevice *device, unsigned index);
VirtQueue *virtio_queue_to_configure(VirtioDevice *device, unsigned index);
/* Takes one queue out of service, its requests done, and back to power-on; the others go on. */
void virtio_queue_disable(VirtioDevice *device, unsigned index);
void virtio_device_reset(VirtioDevice *device);
/* Serves what is available, then stops; resume goes on from there. No vCPU runs. */
void virtio_device_pause(VirtioDevice *device);
void virtio_device_resume(VirtioDevice *device);
