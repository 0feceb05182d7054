/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds of devices that have a driver here. */
#include "queues-hostile.h"

#include "cpu.h"

#define CONSOLE_ID          3
#define CONSOLE_F_MULTIPORT (1u << 1) /* 5.3.3 */

static const Kind *const kinds[] = {&blk_kind, &net_kind, &rng_kind, &vsock_kind, &input_kind};

const Kind *kind_of(const Virtio *virtio) {
  if (virtio->id == CONSOLE_ID)
    return virtio->bus->offered(virtio, 0) & CONSOLE_F_MULTIPORT ? &ports_kind : &console_kind;
  for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++)
    if (kinds[i]->id == virtio->id)
      return kinds[i];
  return NULL;
}
