/* SPDX-License-Identifier: Apache-2.0 */
/* Messages that are not said too often: devices/log-limit.c. */
#include "devices/log-limit.h"

static GPtrArray *said;

static void keep(const char *domain, GLogLevelFlags level, const char *text, gpointer opaque) {
  g_ptr_array_add(said, g_strdup(text));
}

static const char *last(void) {
  return said->len ? g_ptr_array_index(said, said->len - 1) : NULL;
}

static void test_limit(void) {
  LogLimit limit = {0}, other = {0};

  said = g_ptr_array_new_with_free_func(g_free);
  unsigned handler = g_log_set_handler(G_LOG_DOMAIN, G_LOG_LEVEL_MESSAGE, keep, NULL);
  for (unsigned i = 1; i < LOG_LIMIT_MESSAGES; i++) {
    log_limit_say(&limit, "net0", "is gone");
    g_assert_cmpuint(said->len, ==, i);
    g_assert_cmpstr(last(), ==, "net0: is gone");
  }
  log_limit_say(&limit, "net0", "is gone");
  g_assert_cmpstr(last(), ==, "net0: is gone (for a while, no more messages like this one)");
  for (unsigned i = 0; i < 1000; i++)
    log_limit_say(&limit, "net0", "is gone");
  g_assert_cmpuint(said->len, ==, LOG_LIMIT_MESSAGES);
  log_limit_say(&other, "net1", "is gone"); /* another's limit is its own */
  g_assert_cmpstr(last(), ==, "net1: is gone");

  limit.since -= LOG_LIMIT_PERIOD_US;
  log_limit_say(&limit, "net0", "is gone");
  g_assert_cmpstr(last(), ==, "net0: is gone (1000 messages like this one were left out)");
  log_limit_say(&limit, "net0", "is gone");
  g_assert_cmpstr(last(), ==, "net0: is gone");
  g_log_remove_handler(G_LOG_DOMAIN, handler);
  g_ptr_array_unref(said);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/log-limit/limit", test_limit);
  return g_test_run();
}
