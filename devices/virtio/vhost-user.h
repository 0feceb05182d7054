/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A virtio device of any type that a process behind a vhost-user socket is: all of its queues and its configuration are
 * served there. Here are only its place and its transport.
 */
#pragma once

#include "devices/vhost/vhost.h"
#include "devices/virtio/virtio.h"

#define VHOST_USER_QUEUES_MAX   64
#define VHOST_USER_SETTINGS_MAX 2
#define VHOST_USER_TYPE_ID_MAX  63 /* of the device IDs in the specification */

/* What can be asked of it. */
typedef struct {
  char *path;          /* of the socket */
  char *type;          /* a name, or an ID as a number: vhost_user_type_id */
  unsigned queues;     /* 0: as many as the back end says, or else is usual */
  unsigned boot_index; /* 1: firmware tries it first; 0: it is not said when */
} VhostUserDeviceConfig;

/* Connects to the back end. */
extern const DeviceKind virtio_vhost_user_kind; /* of a VhostUserDeviceConfig */

/* What is known of a type of device, beside that it has features, queues and a configuration. */
typedef struct {
  unsigned id;
  const char *name;     /* "rng" */
  unsigned queues;      /* at least, where the back end does not say how many */
  unsigned config_size; /* what may be asked for, bytes */
  uint64_t never;       /* features that cannot be believed */
  uint64_t reading;     /* a feature that says that nothing is written; 0: there is none */
  uint64_t writing;     /* those that mean nothing then, and may be offered all the same */
  const char *needs;    /* from its configuration, for people; NULL: it may do without */
  bool guessed;         /* config_size is one to try */
  /* Settings: fields of a byte in the configuration that the driver sets and that hold then; where, and how many. */
  unsigned settings, n_settings;
  /* As in DeviceBoot: NULL, where firmware does not boot from it. */
  const char *boot_function, *boot_unit;
} VhostUserType;

/* By ID (virtio 1.2, chapter 5); of one that is not in the table it is whatever the back end says. */
VhostUserType vhost_user_type(unsigned id);
/* The ID that TEXT is, or whose name it is; 0: none. And all names, for a message: "net, block, ...". */
unsigned vhost_user_type_id(const char *text);
char *vhost_user_type_names(void);

/* What is to be known of a device beside what its back end says. */
typedef struct {
  unsigned type;   /* ID */
  unsigned queues; /* 0: as many as the back end says, or else is usual */
  uint64_t never;  /* features that the driver is not to be offered */
  /* Of a type whose configuration is not the back end's: what the driver reads; constant while the device is made. */
  const void *config;
  unsigned config_size; /* bytes; 0: it is the back end's */
} VhostUserDevicePlan;

/* The device behind VHOST, which is connected to, and taken over, also by a failure. MEMORY must be shared. */
VirtioDevice *virtio_vhost_user_new_of(const char *name, const GuestMemory *memory, Vhost *take_vhost, const VhostUserDevicePlan *plan,
                                       GError **error);
/* The device of TYPE behind the socket PATH; QUEUES as above. */
VirtioDevice *virtio_vhost_user_new(const char *name, const GuestMemory *memory, const char *path, unsigned type, unsigned queues,
                                    GError **error);
/* One that is only planned: there need be no back end. */
VirtioDevice *virtio_vhost_user_new_planned(const char *name, const GuestMemory *memory, const VhostUserDevicePlan *plan, GError **error);

/* Descriptors of such a device: of a queue its event, its call and that of its vector; and the sockets, and the record
 * of what is in flight. */
#define VHOST_USER_DESCRIPTORS(queues) (3 * (queues) + 5)
