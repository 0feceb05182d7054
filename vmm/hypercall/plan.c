/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From configuration to policy: everything that must reach eret is forwarded, what the user says comes beside it, and
 * policy_plan finds the contradictions. Pure; no lock.
 */
#include "vmm/hypercall/plan.h"

#include <string.h>

#include "vmm/base/mistakes.h"
#include "vmm/hypercall/hypercall.h"

#define SOCKET_PREFIX "unix:"

bool hypercall_parse_service(const char *text, uint32_t *first, uint32_t *last, const char **path, GError **error) {
  const char *equals = strchr(text, '=');

  if (!equals || !g_str_has_prefix(equals + 1, SOCKET_PREFIX) || !equals[1 + strlen(SOCKET_PREFIX)]) {
    g_set_error(error, POLICY_ERROR, POLICY_ERROR_SYNTAX, "'%s' is not RANGE=unix:PATH", text);
    return false;
  }
  g_autofree char *range = g_strndup(text, (gsize)(equals - text));
  *path = equals + 1 + strlen(SOCKET_PREFIX);
  return policy_parse_range(range, first, last, error);
}

/* Adds the message of *ERROR as a line, and clears it. */
static void collect(GString *mistakes, const char *where, GError **error) {
  mistake(mistakes, "%s: %s", where, (*error)->message);
  g_clear_error(error);
}

/* Of what eret forwards anyway no range of another service's may be a part: policy_plan knows actions alone. */
static void check_shared(const GArray *ranges, const char *where, uint32_t first, uint32_t last, GString *mistakes) {
  for (unsigned i = 0; i < ranges->len; i++) {
    const SmcccRange *other = &g_array_index(ranges, SmcccRange, i);
    if (other->first <= last && first <= other->last)
      mistake(mistakes, "%s and %s both serve 0x%08x-0x%08x; drop one of them", where, other->origin, MAX(first, other->first),
              MIN(last, other->last));
  }
}

static void append_services(GArray *ranges, const HypercallRequest *request, GString *mistakes) {
  g_autoptr(GError) why = NULL;
  uint32_t first, last;
  const char *path;

  for (unsigned i = 0; i < request->services->len; i++) {
    const HypercallConfig *hypercall = g_ptr_array_index(request->services, i);
    if (!hypercall->service) /* its absence has been reported */
      continue;
    const char *where = request->where(request->opaque, "hypercall", (int)i);
    if (!hypercall_parse_service(hypercall->service, &first, &last, &path, &why)) {
      collect(mistakes, where, &why);
      continue;
    }
    check_shared(ranges, where, first, last, mistakes);
    policy_append(ranges, first, last, SMCCC_FORWARD, where);
  }
}

GArray *hypercall_plan(const HypercallRequest *request, GError **error) {
  g_autoptr(GArray) ranges = policy_new();
  g_autoptr(GString) mistakes = g_string_new(NULL);
  g_autoptr(GError) why = NULL;

  policy_append(ranges, ERET_FUNCTION_FIRST, ERET_FUNCTION_LAST, SMCCC_FORWARD, "eret's own services");
  if (request->psci == PSCI_BY_ERET)
    policy_append_set(ranges, "psci", SMCCC_FORWARD, request->where(request->opaque, "psci", -1));
  append_services(ranges, request, mistakes);
  for (unsigned i = 0; i < request->rules->len; i++) {
    const SmcccConfig *smccc = g_ptr_array_index(request->rules, i);
    const char *where = request->where(request->opaque, "smccc", (int)i);
    if (smccc->rule && !policy_parse(ranges, smccc->rule, where, &why))
      collect(mistakes, where, &why);
  }
  g_autoptr(GArray) plan = policy_plan(ranges, &why);
  if (!plan)
    mistakes_add(mistakes, why->message);
  if (mistakes->len == 0)
    return g_steal_pointer(&plan);
  g_set_error_literal(error, POLICY_ERROR, POLICY_ERROR_SYNTAX, mistakes->str);
  return NULL;
}
