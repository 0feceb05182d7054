/* SPDX-License-Identifier: Apache-2.0 */
/* The clock of device-watch.h. No lock. */
#include "devices/device-watch.h"

#include <time.h>

#include "devices/units.h"

uint64_t device_watch_now(const DeviceWatch *watch) {
  struct timespec now;

  if (!watch)
    return 0;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}
