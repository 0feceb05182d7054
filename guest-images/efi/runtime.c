/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EFI runtime services of a guest that was started without firmware: the time, from its PL031, and nothing else. UEFI
 * Specification 2.10, 8.3; the calling convention is that of AArch64 (2.3.6).
 *
 * Freestanding, and independent of where it is: eret puts it into guest memory behind the tables, and tells where the
 * registers are (runtime.S).
 */
#include "guest-images/efi/calendar.h"

#define EFI_ERROR(CODE)       (UINT64_C(1) << 63 | (CODE))
#define EFI_SUCCESS           UINT64_C(0)
#define EFI_INVALID_PARAMETER EFI_ERROR(2)
#define EFI_UNSUPPORTED       EFI_ERROR(3)

/* PL031: Arm DDI 0224, 3.2; in words. */
enum { RTCDR = 0, RTCLR = 2 };

typedef struct {
  uint32_t resolution; /* counts a second */
  uint32_t accuracy;   /* 1e-6 parts per million */
  bool sets_to_zero;
} EfiTimeCapabilities;

#pragma GCC visibility push(hidden)            /* each is where it is, seen from here */
extern volatile uint32_t *const runtime_clock; /* set by eret */
uint64_t runtime_get_time(EfiTime *time, EfiTimeCapabilities *capabilities);
uint64_t runtime_set_time(const EfiTime *time);
uint64_t runtime_unsupported(void);
#pragma GCC visibility pop

uint64_t runtime_get_time(EfiTime *time, EfiTimeCapabilities *capabilities) {
  if (!time)
    return EFI_INVALID_PARAMETER;
  calendar_of(runtime_clock[RTCDR], time);
  if (capabilities) {
    capabilities->resolution = 1;
    capabilities->accuracy = 0;
    capabilities->sets_to_zero = false;
  }
  return EFI_SUCCESS;
}

uint64_t runtime_set_time(const EfiTime *time) {
  uint32_t seconds;

  if (!time || !calendar_seconds(time, &seconds))
    return EFI_INVALID_PARAMETER;
  runtime_clock[RTCLR] = seconds;
  return EFI_SUCCESS;
}

uint64_t runtime_unsupported(void) {
  return EFI_UNSUPPORTED;
}
