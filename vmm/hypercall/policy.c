/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy of --smccc: which function IDs KVM answers, denies or forwards. Linux:
 * Documentation/virt/kvm/devices/vm.rst, KVM_ARM_VM_SMCCC_CTRL. The filter takes ranges that may not overlap, cannot be
 * changed afterwards, and reports a mistake as EEXIST without saying which; so everything is checked here first, where
 * the user's words are still known. No state, hence nothing to lock.
 */
#include "vmm/hypercall/policy.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "vmm/base/mistakes.h"

G_DEFINE_QUARK(eret_policy_error, policy_error)

static const char *const action_names[] = {[SMCCC_KERNEL] = "kernel", [SMCCC_DENY] = "deny", [SMCCC_FORWARD] = "forward"};

/*
 * What KVM itself answers (Linux: arch/arm64/kvm/hypercalls.c, include/linux/arm-smccc.h, uapi/linux/psci.h), by the
 * documents that define it.
 */
static const struct {
  const char *name;
  uint32_t first, last;
} sets[] = {
    {"psci", 0x84000000, 0x8400001f},       /* DEN 0022: Power State Coordination Interface, 32-bit */
    {"psci", 0xc4000000, 0xc400001f},       /* and 64-bit */
    {"psci", 0x95c1ba5e, 0x95c1ba61},       /* KVM's IDs for PSCI 0.1, which had none of its own: KVM_PSCI_FN_BASE */
    {"trng", 0x84000050, 0x84000053},       /* DEN 0098: TRNG_VERSION, TRNG_FEATURES, TRNG_GET_UUID, TRNG_RND32 */
    {"trng", 0xc4000053, 0xc4000053},       /* TRNG_RND64 */
    {"pvtime", 0xc5000020, 0xc5000021},     /* DEN 0057: PV_TIME_FEATURES, PV_TIME_ST */
    {"vendor-hyp", 0x86000000, 0x86000000}, /* KVM: features */
    {"vendor-hyp", 0x8600ff01, 0x8600ff01}, /* DEN 0028: Call UID */
    {"vendor-hyp", 0xc6000002, 0xc6000004}, /* KVM, for protected guests: HYP_MEMINFO, MEM_SHARE, MEM_UNSHARE */
    {"vendor-hyp", 0xc6000007, 0xc6000007}, /* MMIO_GUARD */
    {"vendor-hyp", 0xc6000040, 0xc6000041}, /* KVM: DISCOVER_IMPL_VER, DISCOVER_IMPL_CPUS */
    {"ptp", 0x86000001, 0x86000001},        /* KVM: host time; a set of its own, as it is a feature of its own to KVM */
};

/* What KVM reserves: Arm Architecture Calls, 32-bit and 64-bit. An insert that touches them fails (EEXIST). */
static const struct { uint32_t first, last; } reserved[] = {{0x80000000, 0x8000ffff}, {0xc0000000, 0xc000ffff}};

static void clear_range(gpointer range) {
  g_free(((SmcccRange *)range)->origin);
}

GArray *policy_new(void) {
  GArray *ranges = g_array_new(FALSE, FALSE, sizeof(SmcccRange));

  g_array_set_clear_func(ranges, clear_range);
  return ranges;
}

void policy_append(GArray *ranges, uint32_t first, uint32_t last, SmcccAction action, const char *origin) {
  SmcccRange range = {first, last, action, g_strdup(origin)};
  g_array_append_val(ranges, range);
}

bool policy_append_set(GArray *ranges, const char *name, SmcccAction action, const char *origin) {
  bool found = false;

  for (unsigned i = 0; i < G_N_ELEMENTS(sets); i++) {
    if (!g_str_equal(sets[i].name, name))
      continue;
    policy_append(ranges, sets[i].first, sets[i].last, action, origin);
    found = true;
  }
  return found;
}

/*
 * A number at *TEXT, which moves behind it. No sign and no space, which strtoull would take; decimal only where it is a
 * count.
 */
static bool parse_number(const char **text, bool hex_only, uint64_t *value) {
  bool hex = g_str_has_prefix(*text, "0x");
  const char *digits = hex ? *text + 2 : *text;
  char *end;

  if (!hex && hex_only)
    return false;
  if (!(hex ? g_ascii_isxdigit(*digits) : g_ascii_isdigit(*digits)))
    return false;
  errno = 0;
  *value = g_ascii_strtoull(digits, &end, hex ? 16 : 10);
  *text = end;
  return errno == 0;
}

static bool syntax_error(GError **error, const char *text, const char *why) {
  g_set_error(error, POLICY_ERROR, POLICY_ERROR_SYNTAX,
              "\"%s\" is not a range of function IDs: %s; write 0xFIRST, 0xFIRST-0xLAST or 0xFIRST+COUNT", text, why);
  return false;
}

bool policy_parse_range(const char *text, uint32_t *first, uint32_t *last, GError **error) {
  const char *at = text;
  uint64_t begin, second = 1, end;

  if (!parse_number(&at, true, &begin))
    return syntax_error(error, text, "it does not begin with a hexadecimal number");
  char separator = *at;
  if (separator == '-' || separator == '+') {
    at++;
    if (!parse_number(&at, separator == '-', &second))
      return syntax_error(error, text,
                          separator == '-' ? "after \"-\" comes the last function ID in hexadecimal" : "after \"+\" comes a count");
  }
  if (*at != '\0')
    return syntax_error(error, text, "there is something behind it");
  if (separator != '-' && second == 0)
    return syntax_error(error, text, "it is empty");
  if (separator == '-')
    end = second;
  else if (__builtin_add_overflow(begin, second - 1, &end))
    end = UINT64_MAX;
  if (begin > UINT32_MAX || end > UINT32_MAX)
    return syntax_error(error, text, "function IDs have 32 bits");
  if (end < begin)
    return syntax_error(error, text, "its end lies before its beginning");
  *first = (uint32_t)begin;
  *last = (uint32_t)end;
  return true;
}

static bool parse_action(const char *text, size_t size, SmcccAction *action) {
  for (unsigned i = 0; i < G_N_ELEMENTS(action_names); i++) {
    if (strlen(action_names[i]) != size || memcmp(action_names[i], text, size) != 0)
      continue;
    *action = (SmcccAction)i;
    return true;
  }
  return false;
}

bool policy_parse(GArray *ranges, const char *text, const char *origin, GError **error) {
  const char *equals = strchr(text, '=');
  SmcccAction action;
  uint32_t first, last;

  if (!equals || !parse_action(text, (size_t)(equals - text), &action)) {
    g_set_error(error, POLICY_ERROR, POLICY_ERROR_SYNTAX, "\"%s\" does not say what to do: write deny=RANGE, forward=RANGE or kernel=RANGE",
                text);
    return false;
  }
  const char *range = equals + 1;
  if (policy_append_set(ranges, range, action, origin))
    return true;
  if (!g_ascii_isdigit(*range)) {
    g_set_error(error, POLICY_ERROR, POLICY_ERROR_SYNTAX,
                "\"%s\" is neither a set (psci, trng, pvtime, vendor-hyp, ptp) nor a range (0xFIRST, 0xFIRST-0xLAST, 0xFIRST+COUNT)",
                range);
    return false;
  }
  if (!policy_parse_range(range, &first, &last, error))
    return false;
  policy_append(ranges, first, last, action, origin);
  return true;
}

/* Mistakes so far, a line each. The first one's code is the error's. */
typedef struct {
  GString *text;
  PolicyError code;
} Mistakes;

static void __attribute__((format(printf, 3, 4))) add_mistake(Mistakes *mistakes, PolicyError code, const char *format, ...) {
  va_list arguments;

  if (mistakes->text->len == 0)
    mistakes->code = code;
  va_start(arguments, format);
  g_autofree char *line = mistake_line(format, arguments);
  va_end(arguments);
  mistakes_add(mistakes->text, line);
}

static void check_reserved(const SmcccRange *range, Mistakes *mistakes) {
  if (range->action == SMCCC_KERNEL) /* as it is */
    return;
  for (unsigned i = 0; i < G_N_ELEMENTS(reserved); i++)
    if (range->first <= reserved[i].last && reserved[i].first <= range->last)
      add_mistake(mistakes, POLICY_ERROR_RESERVED,
                  "%s (0x%08" PRIx32 "-0x%08" PRIx32 ") touches 0x%08" PRIx32 "-0x%08" PRIx32
                  ", Arm Architecture Calls, which KVM always answers itself; leave them out",
                  range->origin, range->first, range->last, reserved[i].first, reserved[i].last);
}

static void check_overlaps(const GArray *sorted, unsigned index, Mistakes *mistakes) {
  const SmcccRange *range = &g_array_index(sorted, SmcccRange, index);

  for (unsigned i = index + 1; i < sorted->len; i++) {
    const SmcccRange *other = &g_array_index(sorted, SmcccRange, i);
    if (other->first > range->last)
      break;
    if (other->action != range->action)
      add_mistake(mistakes, POLICY_ERROR_OVERLAP, "%s and %s both claim 0x%08" PRIx32 "-0x%08" PRIx32 "; drop one of them", range->origin,
                  other->origin, other->first, MIN(range->last, other->last));
  }
}

static int compare_ranges(gconstpointer a, gconstpointer b) {
  const SmcccRange *one = a, *two = b;

  if (one->first != two->first)
    return one->first < two->first ? -1 : 1;
  if (one->last != two->last)
    return one->last < two->last ? -1 : 1;
  return (int)one->action - (int)two->action;
}

/* Sorted and without overlaps of different actions: joins what touches or overlaps. */
static GArray *join(const GArray *sorted) {
  GArray *plan = policy_new();

  for (unsigned i = 0; i < sorted->len; i++) {
    const SmcccRange *range = &g_array_index(sorted, SmcccRange, i);
    SmcccRange *before = plan->len ? &g_array_index(plan, SmcccRange, plan->len - 1) : NULL;
    if (range->action == SMCCC_KERNEL)
      continue;
    if (before && before->action == range->action && range->first <= (uint64_t)before->last + 1)
      before->last = MAX(before->last, range->last);
    else
      policy_append(plan, range->first, range->last, range->action, range->origin);
  }
  return plan;
}

GArray *policy_plan(const GArray *ranges, GError **error) {
  g_autoptr(GArray) sorted = g_array_new(FALSE, FALSE, sizeof(SmcccRange)); /* the origins stay those of RANGES */
  g_autoptr(GString) text = g_string_new(NULL);
  Mistakes mistakes = {.text = text};

  g_array_append_vals(sorted, ranges->data, ranges->len);
  g_array_sort(sorted, compare_ranges);
  for (unsigned i = 0; i < sorted->len; i++) {
    check_reserved(&g_array_index(sorted, SmcccRange, i), &mistakes);
    check_overlaps(sorted, i, &mistakes);
  }
  if (text->len == 0)
    return join(sorted);
  g_set_error_literal(error, POLICY_ERROR, (int)mistakes.code, text->str);
  return NULL;
}
