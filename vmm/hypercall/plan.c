/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From configuration to policy: everything that must reach eret is forwarded, what the user says comes beside it, and
 * policy_plan finds the contradictions. Pure; no lock.
 */
#include "vmm/hypercall/plan.h"

#include <string.h>

#include "vmm/hypercall/hypercall.h"

#define SOCKET_PREFIX "unix:"

bool hypercall_parse_service(const char *text, uint32_t *first, uint32_t *last, const char **path, GError **error) {
  const char *equals = strchr(text, '=');

  if (!equals || !g_str_has_prefix(equals + 1, SOCKET_PREFIX) || !equals[1 + strlen(SOCKET_PREFIX)]) {
    g_set_error(error, POLICY_ERROR, POLICY_ERROR_SYNTAX, "--hypercall: '%s' is not RANGE=unix:PATH", text);
    return false;
  }
  g_autofree char *range = g_strndup(text, (gsize)(equals - text));
  *path = equals + 1 + strlen(SOCKET_PREFIX);
  if (policy_parse_range(range, first, last, error))
    return true;
  g_prefix_error(error, "--hypercall: ");
  return false;
}

/* Adds the message of *ERROR as a line, and clears it. */
static void collect(GString *mistakes, GError **error) {
  g_string_append_printf(mistakes, "%s%s", mistakes->len ? "\n" : "", (*error)->message);
  g_clear_error(error);
}

static void append_services(GArray *ranges, const Config *config, GString *mistakes) {
  g_autoptr(GError) mistake = NULL;
  uint32_t first, last;
  const char *path;

  for (unsigned i = 0; i < config->hypercalls->len; i++) {
    const HypercallConfig *hypercall = g_ptr_array_index(config->hypercalls, i);
    if (!hypercall->service) /* its absence has been reported */
      continue;
    if (hypercall_parse_service(hypercall->service, &first, &last, &path, &mistake))
      policy_append(ranges, first, last, SMCCC_FORWARD, hypercall->service);
    else
      collect(mistakes, &mistake);
  }
}

GArray *hypercall_plan(const Config *config, GError **error) {
  g_autoptr(GArray) ranges = g_array_new(FALSE, TRUE, sizeof(SmcccRange));
  g_autoptr(GString) mistakes = g_string_new(NULL);
  g_autoptr(GError) mistake = NULL;

  policy_append(ranges, ERET_FUNCTION_FIRST, ERET_FUNCTION_LAST, SMCCC_FORWARD, "eret's own services");
  if (config->psci == PSCI_BY_ERET)
    policy_append_set(ranges, "psci", SMCCC_FORWARD);
  append_services(ranges, config, mistakes);
  for (unsigned i = 0; i < config->smccc->len; i++) {
    const SmcccConfig *smccc = g_ptr_array_index(config->smccc, i);
    if (smccc->rule && !policy_parse(ranges, smccc->rule, &mistake))
      collect(mistakes, &mistake);
  }
  g_autoptr(GArray) plan = policy_plan(ranges, &mistake);
  if (!plan)
    collect(mistakes, &mistake);
  if (mistakes->len == 0)
    return g_steal_pointer(&plan);
  g_set_error_literal(error, POLICY_ERROR, POLICY_ERROR_SYNTAX, mistakes->str);
  return NULL;
}
