/* SPDX-License-Identifier: Apache-2.0 */
/* Seconds and calendar against GLib's: guest-images/efi/calendar.h, which runs in guests. */
#include "guest-images/efi/calendar.h"

#include <glib.h>

static void check(uint32_t seconds) {
  g_autoptr(GDateTime) wanted = g_date_time_new_from_unix_utc(seconds);
  uint32_t back = ~seconds;
  EfiTime time;

  calendar_of(seconds, &time);
  g_assert_cmpint(time.year, ==, g_date_time_get_year(wanted));
  g_assert_cmpint(time.month, ==, g_date_time_get_month(wanted));
  g_assert_cmpint(time.day, ==, g_date_time_get_day_of_month(wanted));
  g_assert_cmpint(time.hour, ==, g_date_time_get_hour(wanted));
  g_assert_cmpint(time.minute, ==, g_date_time_get_minute(wanted));
  g_assert_cmpint(time.second, ==, g_date_time_get_second(wanted));
  g_assert_cmpint(time.time_zone, ==, CALENDAR_NO_ZONE);
  g_assert_true(calendar_seconds(&time, &back));
  g_assert_cmpuint(back, ==, seconds);
}

static void test_every_day(void) {
  for (uint64_t seconds = 0; seconds <= UINT32_MAX; seconds += CALENDAR_DAY) {
    check((uint32_t)seconds);
    if (seconds)
      check((uint32_t)seconds - 1);
  }
  check(UINT32_MAX);
}

static void test_random(void) {
  g_autoptr(GRand) random = g_rand_new_with_seed(1970);

  for (unsigned i = 0; i < 20000; i++)
    check(g_rand_int(random));
}

static void test_zones(void) {
  EfiTime time = {.year = 2026, .month = 11, .day = 30, .hour = 1, .time_zone = -60};
  uint32_t seconds;

  g_assert_true(calendar_seconds(&time, &seconds));
  g_assert_cmpuint(seconds, ==, 1796000400 - 3600 - 0);
  time.time_zone = 0;
  g_assert_true(calendar_seconds(&time, &seconds));
  g_assert_cmpuint(seconds, ==, 1796000400);
}

static void test_wrong(void) {
  static const EfiTime times[] = {
      {.year = 1969, .month = 12, .day = 31},
      {.year = 2107, .month = 1, .day = 1},
      {.year = 2106, .month = 2, .day = 8},
      {.year = 2026, .month = 0, .day = 1},
      {.year = 2026, .month = 13, .day = 1},
      {.year = 2026, .month = 1, .day = 0},
      {.year = 2026, .month = 1, .day = 32},
      {.year = 2026, .month = 4, .day = 31},
      {.year = 2026, .month = 2, .day = 29},
      {.year = 2100, .month = 2, .day = 29},
      {.year = 2026, .month = 1, .day = 1, .hour = 24},
      {.year = 2026, .month = 1, .day = 1, .minute = 60},
      {.year = 2026, .month = 1, .day = 1, .second = 60},
      {.year = 2026, .month = 1, .day = 1, .time_zone = 1441},
      {.year = 2026, .month = 1, .day = 1, .time_zone = -1441},
      {.year = 1970, .month = 1, .day = 1, .time_zone = -1},
  };
  uint32_t seconds;

  for (unsigned i = 0; i < G_N_ELEMENTS(times); i++)
    g_assert_false(calendar_seconds(&times[i], &seconds));
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/efi-calendar/every-day", test_every_day);
  g_test_add_func("/efi-calendar/random", test_random);
  g_test_add_func("/efi-calendar/zones", test_zones);
  g_test_add_func("/efi-calendar/wrong", test_wrong);
  return g_test_run();
}
