/* SPDX-License-Identifier: Apache-2.0 */
/* From configuration to the filter's plan: vmm/hypercall/plan.c. */
#include <glib.h>
#include <string.h>

#include "vmm/config/config.h"
#include "vmm/hypercall/hypercall.h"
#include "vmm/hypercall/plan.h"

static Config *parse(const char *arguments, GError **error) {
  g_autofree char *line = g_strconcat("--dry-run ", arguments, NULL);
  g_auto(GStrv) argv = g_strsplit(g_strchomp(line), " ", -1);
  bool help = false;
  return config_parse((int)g_strv_length(argv), argv, &help, error);
}

/* The action that the plan has for FUNCTION; what it does not name is the kernel's. */
static SmcccAction action_of(const GArray *plan, uint32_t function) {
  for (unsigned i = 0; i < plan->len; i++) {
    const SmcccRange *range = &g_array_index(plan, SmcccRange, i);
    if (function >= range->first && function <= range->last)
      return range->action;
  }
  return SMCCC_KERNEL;
}

static const char *option_name(const void *opaque, const char *option, int index) {
  return option;
}

static GArray *plan_of(const char *arguments) {
  g_autoptr(GError) error = NULL;
  g_autoptr(Config) config = parse(arguments, &error);
  g_assert_no_error(error);
  const HypercallRequest request = {config->psci, config->hypercalls, config->smccc, option_name, NULL};
  GArray *plan = hypercall_plan(&request, &error);
  g_assert_no_error(error);
  return plan;
}

static void test_default(void) {
  g_autoptr(GArray) plan = plan_of("");

  g_assert_cmpuint(plan->len, ==, 1);
  g_assert_cmpint(action_of(plan, ERET_FUNCTION_FIRST), ==, SMCCC_FORWARD);
  g_assert_cmpint(action_of(plan, ERET_FUNCTION_LAST), ==, SMCCC_FORWARD);
  g_assert_cmpint(action_of(plan, 0x84000000), ==, SMCCC_KERNEL);
}

static void test_everything(void) {
  g_autoptr(GArray) plan =
      plan_of("--psci user --smccc deny=trng --smccc forward=0xc6006000+4 --hypercall 0xc6005000-0xc600500f=unix:/s,timeout=20");

  g_assert_cmpint(action_of(plan, 0x84000000), ==, SMCCC_FORWARD);
  g_assert_cmpint(action_of(plan, 0xc4000003), ==, SMCCC_FORWARD);
  g_assert_cmpint(action_of(plan, 0x84000050), ==, SMCCC_DENY);
  g_assert_cmpint(action_of(plan, 0xc4000053), ==, SMCCC_DENY);
  g_assert_cmpint(action_of(plan, 0xc6006003), ==, SMCCC_FORWARD);
  g_assert_cmpint(action_of(plan, 0xc6006004), ==, SMCCC_KERNEL);
  g_assert_cmpint(action_of(plan, 0xc600500f), ==, SMCCC_FORWARD);
  g_assert_cmpint(action_of(plan, 0xc6005010), ==, SMCCC_KERNEL);
}

/* Each is refused when the configuration is read, with the text in the message. */
static void test_mistakes(void) {
  static const struct {
    const char *arguments, *message;
  } cases[] = {
      {"--smccc deny=psci --psci user", "both claim"},
      {"--smccc deny=0xc6004500", "both claim"},
      {"--smccc forward=0x80000000", "0x80000000"},
      {"--smccc allow=psci", "allow"},
      {"--smccc deny=nonsense", "nonsense"},
      {"--hypercall 0xc6005000", "RANGE=unix:PATH"},
      {"--hypercall 0xc6005000=unix:", "RANGE=unix:PATH"},
      {"--hypercall 0xc6005000=tcp:1", "RANGE=unix:PATH"},
      {"--hypercall 0xc6005010-0xc6005000=unix:/s", "--hypercall 0xc6005010-0xc6005000=unix:/s: \"0xc6005010-0xc6005000\" is not"},
      {"--hypercall 0xc6005000+9=unix:/a --hypercall 0xc6005008+9=unix:/b",
       "--hypercall 0xc6005008+9=unix:/b and --hypercall 0xc6005000+9=unix:/a both serve 0xc6005008-0xc6005008"},
      {"--hypercall 0xc6004500=unix:/a", "--hypercall 0xc6004500=unix:/a and eret's own services both serve"},
      {"--psci user --hypercall 0xc4000000=unix:/a", "--hypercall 0xc4000000=unix:/a and --psci both serve"},
      {"--hypercall 0xc6005000=unix:/s,timeout=0", "timeout"},
      {"--hypercall 0xc6005000=unix:/s --smccc deny=0xc6005000", "both claim"},
  };
  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(Config) config = parse(cases[i].arguments, &error);
    g_assert_null(config);
    g_assert_error(error, OPTION_ERROR, OPTION_ERROR_INVALID);
    if (!strstr(error->message, cases[i].message))
      g_error("'%s' does not mention '%s': %s", cases[i].arguments, cases[i].message, error->message);
  }
}

static void test_all_at_once(void) {
  g_autoptr(GError) error = NULL;
  g_autoptr(Config) config = parse("--smccc allow=psci --hypercall nonsense --smccc deny=psci --psci user", &error);

  g_assert_null(config);
  g_assert_nonnull(strstr(error->message, "allow"));
  g_assert_nonnull(strstr(error->message, "nonsense"));
  g_assert_nonnull(strstr(error->message, "both claim"));
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/plan/default", test_default);
  g_test_add_func("/plan/everything", test_everything);
  g_test_add_func("/plan/mistakes", test_mistakes);
  g_test_add_func("/plan/all-at-once", test_all_at_once);
  return g_test_run();
}
