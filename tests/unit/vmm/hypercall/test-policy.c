/* SPDX-License-Identifier: Apache-2.0 */
/* The plan for KVM's SMCCC filter: vmm/hypercall/policy.c. */
#include <glib.h>
#include <string.h>

#include "vmm/hypercall/policy.h"

/* "0xFIRST-0xLAST ACTION" a range, separated by commas. */
static char *describe(const GArray *ranges) {
  static const char *const actions[] = {"kernel", "deny", "forward"};
  GString *text = g_string_new(NULL);
  for (unsigned i = 0; i < ranges->len; i++) {
    const SmcccRange *range = &g_array_index(ranges, SmcccRange, i);
    g_string_append_printf(text, "%s%x-%x %s", i ? ", " : "", range->first, range->last, actions[range->action]);
  }
  return g_string_free(text, FALSE);
}

/* What a list of --smccc arguments comes to, or the error's message. */
static char *plan(const char *const *arguments) {
  g_autoptr(GArray) ranges = policy_new();
  g_autoptr(GError) error = NULL;

  for (; *arguments; arguments++)
    if (!policy_parse(ranges, *arguments, *arguments, &error))
      return g_strdup(error->message);
  g_autoptr(GArray) planned = policy_plan(ranges, &error);
  g_assert_true((planned != NULL) == (error == NULL));
  return planned ? describe(planned) : g_strdup(error->message);
}

#define assert_plan(expected, ...)                                                                                                         \
  do {                                                                                                                                     \
    g_autofree char *text_ = plan((const char *const[]){__VA_ARGS__, NULL});                                                               \
    g_assert_cmpstr(text_, ==, expected);                                                                                                  \
  } while (0)

#define assert_refused(expected, ...)                                                                                                      \
  do {                                                                                                                                     \
    g_autofree char *text_ = plan((const char *const[]){__VA_ARGS__, NULL});                                                               \
    if (!strstr(text_, expected))                                                                                                          \
      g_error("\"%s\" does not contain \"%s\"", text_, expected);                                                                          \
  } while (0)

static void test_sets(void) {
  assert_plan("84000000-8400001f deny, 95c1ba5e-95c1ba61 deny, c4000000-c400001f deny", "deny=psci");
  assert_plan("84000050-84000053 deny, c4000053-c4000053 deny", "deny=trng");
  assert_plan("c5000020-c5000021 forward", "forward=pvtime");
  assert_plan("86000000-86000000 deny, 8600ff01-8600ff01 deny, c6000002-c6000004 deny, c6000007-c6000007 deny, c6000040-c6000041 deny",
              "deny=vendor-hyp");
  assert_plan("86000001-86000001 deny", "deny=ptp");
  assert_plan("", "kernel=trng", "kernel=psci");
  /* Two sets that lie side by side. */
  assert_plan("86000000-86000001 deny, 8600ff01-8600ff01 deny, c6000002-c6000004 deny, c6000007-c6000007 deny, c6000040-c6000041 deny",
              "deny=ptp", "deny=vendor-hyp");
  assert_plan("86000000-86000000 deny, 8600ff01-8600ff01 deny, c6000002-c6000004 deny, c6000007-c6000007 deny, c6000040-c6000041 deny",
              "deny=vendor-hyp", "kernel=ptp");
}

static void test_append(void) {
  g_autoptr(GArray) ranges = policy_new();

  g_assert_true(policy_append_set(ranges, "trng", SMCCC_FORWARD, "forward=trng"));
  g_assert_cmpuint(ranges->len, ==, 2);
  g_assert_cmpstr(g_array_index(ranges, SmcccRange, 0).origin, ==, "forward=trng");
  g_assert_false(policy_append_set(ranges, "TRNG", SMCCC_DENY, ""));
  g_assert_false(policy_append_set(ranges, "", SMCCC_DENY, ""));
  g_assert_cmpuint(ranges->len, ==, 2);
  policy_append(ranges, 0xc6004500, 0xc60045ff, SMCCC_FORWARD, "eret's own functions");
  g_autoptr(GArray) planned = policy_plan(ranges, NULL);
  g_autofree char *text = describe(planned);
  g_assert_cmpstr(text, ==, "84000050-84000053 forward, c4000053-c4000053 forward, c6004500-c60045ff forward");
  g_assert_cmpstr(g_array_index(planned, SmcccRange, 2).origin, ==, "eret's own functions");
}

static void test_ranges(void) {
  static const struct {
    const char *text;
    uint32_t first, last;
  } good[] = {
      {"0xc2000000", 0xc2000000, 0xc2000000},
      {"0xC200abcd-0xC200ABCD", 0xc200abcd, 0xc200abcd},
      {"0x0-0x7fffffff", 0, 0x7fffffff},
      {"0xc2000000+16", 0xc2000000, 0xc200000f},
      {"0xc2000000+0x10", 0xc2000000, 0xc200000f},
      {"0xffffffff", UINT32_MAX, UINT32_MAX},
      {"0xffffffff+1", UINT32_MAX, UINT32_MAX},
      {"0x0-0xffffffff", 0, UINT32_MAX},
      {"0x0+4294967296", 0, UINT32_MAX},
      {"0x00000000c2000000", 0xc2000000, 0xc2000000},
      {"0xfffffff0-0xffffffff", 0xfffffff0, UINT32_MAX},
  };
  static const char *const bad[] = {
      "",
      "0x",
      "x",
      "12",
      "c2000000",
      "0xc2000000-",
      "0xc2000000+",
      "0x10-20",
      "0x10-0xf",
      "0x10+0",
      "0x10-0x20 ",
      " 0x10",
      "0x 10",
      "0x-1",
      "0x+1",
      "0x10--0x20",
      "0x10-0x20-",
      "0x10+1+1",
      "0xffffffff+2",
      "0x100000000",
      "0x0-0x100000000",
      "0x0+4294967297",
      "0x10,0x20",
      "0x10=",
      "0x10+-1",
      "0xg",
      "0x11111111111111111",
      "0x1+18446744073709551616",
      "0x1+18446744073709551615",
      "0x2+18446744073709551615",
      "0x10-psci",
      "0x10-0x",
      "0X10",
  };
  for (unsigned i = 0; i < G_N_ELEMENTS(good); i++) {
    uint32_t first = 1, last = 0;
    g_autoptr(GError) error = NULL;
    bool parsed = policy_parse_range(good[i].text, &first, &last, &error);
    g_assert_no_error(error);
    g_assert_true(parsed);
    g_assert_cmphex(first, ==, good[i].first);
    g_assert_cmphex(last, ==, good[i].last);
  }
  for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++) {
    uint32_t first = 1, last = 0;
    g_autoptr(GError) error = NULL;
    if (policy_parse_range(bad[i], &first, &last, &error))
      g_error("\"%s\" was accepted", bad[i]);
    g_assert_error(error, POLICY_ERROR, POLICY_ERROR_SYNTAX);
    g_assert_nonnull(strstr(error->message, bad[i]));
    g_assert_true(first == 1 && last == 0);
  }
}

static void test_syntax(void) {
  static const char *const bad[] = {"", "deny", "=psci", "allow=psci", "Deny=psci", "den=psci", "denyy=psci", "psci=deny", "deny psci"};

  for (unsigned i = 0; i < G_N_ELEMENTS(bad); i++)
    assert_refused("deny=RANGE, forward=RANGE or kernel=RANGE", bad[i]);
  assert_refused("\"pcsi\" is neither a set (psci", "deny=pcsi");
  assert_refused("\"\" is neither", "deny=");
  assert_refused("\"-1\" is neither", "deny=-1");
  assert_refused("begin with a hexadecimal", "deny=12");
  assert_refused("32 bits", "forward=0x100000000");
}

static void test_reserved(void) {
  static const char *const touching[] = {
      "deny=0x80000000",    "deny=0x8000ffff",      "forward=0x7fffffff-0x80000000", "deny=0x8000ffff-0x80010000",
      "forward=0xc0000000", "forward=0xc000ffff+2", "deny=0xbfffffff-0xd0000000",    "forward=0x00000000-0xffffffff"};

  for (unsigned i = 0; i < G_N_ELEMENTS(touching); i++) {
    g_autoptr(GArray) ranges = policy_new();
    g_autoptr(GError) error = NULL;
    g_assert_true(policy_parse(ranges, touching[i], touching[i], NULL));
    g_assert_null(policy_plan(ranges, &error));
    g_assert_error(error, POLICY_ERROR, POLICY_ERROR_RESERVED);
    g_assert_nonnull(strstr(error->message, touching[i]));
    g_assert_nonnull(strstr(error->message, "Arm Architecture Calls"));
  }
  assert_plan("0-7fffffff forward, 80010000-bfffffff forward, c0010000-ffffffff forward", "forward=0x00000000+0x80000000",
              "forward=0x80010000+0x3fff0000", "forward=0xc0010000+0x3fff0000");
  assert_plan("", "kernel=0x80000000-0x8000ffff");
}

static void test_overlaps(void) {
  assert_refused("deny=psci and forward=0x84000003 both claim 0x84000003-0x84000003", "forward=0x84000003", "deny=psci");
  assert_refused("both claim 0x00000018-0x0000001f", "deny=0x10-0x1f", "forward=0x18-0x27");
  assert_refused("kernel=0x84000000", "kernel=0x84000000", "deny=psci");
  assert_refused("both claim 0x00000010-0x00000010", "deny=0x10", "forward=0x10");
  /* Not with its neighbour in the sorted list, but with the one after. */
  assert_refused("deny=0x10-0x40 and forward=0x30 both", "deny=0x10-0x40", "deny=0x20", "forward=0x30");
}

static void test_every_mistake(void) {
  g_autoptr(GArray) ranges = policy_new();
  g_autoptr(GError) error = NULL;
  static const char *const arguments[] = {"deny=0xc0000001", "forward=0x84000000", "deny=psci", "kernel=0x84000000"};

  for (unsigned i = 0; i < G_N_ELEMENTS(arguments); i++)
    g_assert_true(policy_parse(ranges, arguments[i], arguments[i], NULL));
  g_assert_null(policy_plan(ranges, &error));
  g_assert_error(error, POLICY_ERROR, POLICY_ERROR_OVERLAP);
  g_auto(GStrv) lines = g_strsplit(error->message, "\n", -1);
  g_assert_cmpuint(g_strv_length(lines), ==, 4); /* three pairs claim 0x84000000, one range is reserved */
}

static void test_join(void) {
  assert_plan("10-2f deny", "deny=0x20-0x2f", "deny=0x10-0x1f");
  assert_plan("10-2f deny", "deny=0x10-0x2f", "deny=0x18", "deny=0x10-0x2f");
  assert_plan("10-1f deny, 20-2f forward, 30-30 deny", "deny=0x30", "forward=0x20+16", "deny=0x10+16");
  assert_plan("10-1f deny, 21-2f deny", "deny=0x10-0x1f", "deny=0x21-0x2f");
  assert_plan("fffffff0-ffffffff deny", "deny=0xffffffff", "deny=0xfffffff0-0xfffffffe", "deny=0xffffffff");
  /* What is left to the kernel does not join the ranges around it. */
  assert_plan("10-10 deny, 12-12 deny", "deny=0x10", "kernel=0x11", "deny=0x12");

  g_autoptr(GArray) none = policy_new();
  g_autoptr(GArray) planned = policy_plan(none, NULL);
  g_assert_cmpuint(planned->len, ==, 0);
}

/* A plan needs nothing of what it was made of, and what is gone has left nothing behind, in GLib's table of strings. */
static void test_owned(void) {
  enum { RULES = 3000 }; /* GLib's table has 2048 places at first */
  GArray *ranges = policy_new();

  for (unsigned i = 0; i < RULES; i++) {
    g_autofree char *origin = g_strdup_printf("--smccc rule %u", i);
    policy_append(ranges, 2 * i, 2 * i, SMCCC_DENY, origin);
  }
  g_autoptr(GArray) planned = policy_plan(ranges, NULL);
  g_array_unref(ranges);
  g_assert_cmpuint(planned->len, ==, RULES);
  g_assert_cmpstr(g_array_index(planned, SmcccRange, RULES - 1).origin, ==, "--smccc rule 2999");
  g_assert_cmpuint(g_quark_try_string("--smccc rule 2999"), ==, 0);
}

/* Seeded random plans against a bitmap of a small space. */
static void test_random(void) {
  g_autoptr(GRand) rand = g_rand_new_with_seed(28);

  for (unsigned round = 0; round < 2000; round++) {
    g_autoptr(GArray) ranges = policy_new();
    int wanted[64];
    bool clash = false;
    memset(wanted, -1, sizeof wanted);
    for (int n = g_rand_int_range(rand, 0, 7); n > 0; n--) {
      uint32_t first = (uint32_t)g_rand_int_range(rand, 0, 64), last = (uint32_t)g_rand_int_range(rand, (gint32)first, 64);
      last = MIN(last, first + 7);
      SmcccAction action = (SmcccAction)g_rand_int_range(rand, 0, 3);
      policy_append(ranges, first, last, action, "random");
      for (uint32_t id = first; id <= last; id++) {
        clash |= wanted[id] >= 0 && wanted[id] != (int)action;
        wanted[id] = (int)action;
      }
    }
    g_autoptr(GArray) planned = policy_plan(ranges, NULL);
    g_assert_true((planned == NULL) == clash);
    for (unsigned i = 0; planned && i < planned->len; i++) {
      const SmcccRange *range = &g_array_index(planned, SmcccRange, i);
      g_assert_true(i == 0 || range->first > g_array_index(planned, SmcccRange, i - 1).last);
      for (uint32_t id = range->first; id <= range->last; id++) {
        g_assert_cmpint(wanted[id], ==, (int)range->action);
        wanted[id] = -1;
      }
    }
    for (unsigned id = 0; planned && id < 64; id++)
      g_assert_true(wanted[id] == -1 || wanted[id] == SMCCC_KERNEL);
  }
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/policy/sets", test_sets);
  g_test_add_func("/policy/append", test_append);
  g_test_add_func("/policy/ranges", test_ranges);
  g_test_add_func("/policy/syntax", test_syntax);
  g_test_add_func("/policy/reserved", test_reserved);
  g_test_add_func("/policy/overlaps", test_overlaps);
  g_test_add_func("/policy/every-mistake", test_every_mistake);
  g_test_add_func("/policy/join", test_join);
  g_test_add_func("/policy/owned", test_owned);
  g_test_add_func("/policy/random", test_random);
  return g_test_run();
}
