/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between the seconds of a PL031 and the calendar of EFI (UEFI Specification 2.10, 8.3, EFI_TIME), both in UTC. For the
 * runtime services in the guest, and for their test. The clock has 32 bits: from 1970 to 2106, which are few enough
 * years to be counted one by one.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef struct {
  uint16_t year;
  uint8_t month, day, hour, minute, second; /* from 1 on: month and day */
  uint8_t pad1;
  uint32_t nanosecond;
  int16_t time_zone; /* minutes from UTC, or CALENDAR_NO_ZONE */
  uint8_t daylight, pad2;
} EfiTime;
#define CALENDAR_NO_ZONE 0x7ff

enum {
  CALENDAR_MINUTE = 60,
  CALENDAR_HOUR = 3600,
  CALENDAR_DAY = 86400,
  CALENDAR_FIRST = 1970,
  CALENDAR_LAST = 2106,
  CALENDAR_ZONE_MAX = 1440
};

static inline bool calendar_is_leap(unsigned year) {
  return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static inline unsigned calendar_days_of_year(unsigned year) {
  return calendar_is_leap(year) ? 366 : 365;
}

/* Long and short ones alternate, with two long ones in summer. */
static inline unsigned calendar_days_of_month(unsigned year, unsigned month) {
  if (month == 2)
    return calendar_is_leap(year) ? 29 : 28;
  return month <= 7 ? 30 + month % 2 : 31 - month % 2;
}

/* SECONDS since 1970-01-01 00:00. */
static inline void calendar_of(uint32_t seconds, EfiTime *time) {
  uint32_t day = seconds / CALENDAR_DAY, rest = seconds % CALENDAR_DAY;
  unsigned year = CALENDAR_FIRST, month = 1;

  for (; day >= calendar_days_of_year(year); year++)
    day -= calendar_days_of_year(year);
  for (; day >= calendar_days_of_month(year, month); month++)
    day -= calendar_days_of_month(year, month);
  time->year = (uint16_t)year;
  time->month = (uint8_t)month;
  time->day = (uint8_t)(day + 1);
  time->hour = (uint8_t)(rest / CALENDAR_HOUR);
  time->minute = (uint8_t)(rest % CALENDAR_HOUR / CALENDAR_MINUTE);
  time->second = (uint8_t)(rest % CALENDAR_MINUTE);
  time->pad1 = 0;
  time->nanosecond = 0;
  time->time_zone = CALENDAR_NO_ZONE;
  time->daylight = 0;
  time->pad2 = 0;
}

/* False: it is no time, or none that the clock has. */
static inline bool calendar_seconds(const EfiTime *time, uint32_t *seconds) {
  int zone = time->time_zone == CALENDAR_NO_ZONE ? 0 : time->time_zone;
  int64_t result = 0;

  if (time->year < CALENDAR_FIRST || time->year > CALENDAR_LAST || time->month < 1 || time->month > 12 || time->day < 1 ||
      time->day > calendar_days_of_month(time->year, time->month) || time->hour > 23 || time->minute > 59 || time->second > 59 ||
      zone < -CALENDAR_ZONE_MAX || zone > CALENDAR_ZONE_MAX)
    return false;
  for (unsigned year = CALENDAR_FIRST; year < time->year; year++)
    result += calendar_days_of_year(year);
  for (unsigned month = 1; month < time->month; month++)
    result += calendar_days_of_month(time->year, month);
  result = (result + time->day - 1) * CALENDAR_DAY + time->hour * CALENDAR_HOUR + time->minute * CALENDAR_MINUTE + time->second;
  result += zone * CALENDAR_MINUTE; /* UTC is local time and the zone: 8.3, TimeZone */
  if (result < 0 || result > UINT32_MAX)
    return false;
  *seconds = (uint32_t)result;
  return true;
}
