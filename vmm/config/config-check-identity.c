/* SPDX-License-Identifier: Apache-2.0 */
/*
 * By what the guest knows which machine it is: a UUID and a serial number. The UUID is derived from the machine's name,
 * as its cards' addresses are: the same each time and on every host, so that what a guest makes of it stays. Pure.
 */
#include <string.h>

#include "vmm/config/config-check.h"

/* RFC 9562, 5.5: version 5, a SHA-1 of a namespace and a name. Free with g_free. */
static char *derive_uuid(const char *name) {
  /* 12ed9f40-2ea2-4872-a1ef-68725c2243c9: random, and for names of eret's machines alone. */
  static const uint8_t names_of_machines[] = {0x12, 0xed, 0x9f, 0x40, 0x2e, 0xa2, 0x48, 0x72,
                                              0xa1, 0xef, 0x68, 0x72, 0x5c, 0x22, 0x43, 0xc9};
  enum { SHA1_SIZE = 20, VERSION_AT = 6, VERSION_5 = 5 << 4, VARIANT_AT = 8, VARIANT = 0x80, VARIANT_MASK = 0xc0 };
  g_autoptr(GChecksum) checksum = g_checksum_new(G_CHECKSUM_SHA1);
  uint8_t b[SHA1_SIZE];
  gsize size = sizeof b;

  g_checksum_update(checksum, names_of_machines, sizeof names_of_machines);
  g_checksum_update(checksum, (const guchar *)name, (gssize)strlen(name));
  g_checksum_get_digest(checksum, b, &size);
  b[VERSION_AT] = (uint8_t)((b[VERSION_AT] & 0x0f) | VERSION_5);
  b[VARIANT_AT] = (uint8_t)((b[VARIANT_AT] & ~VARIANT_MASK) | VARIANT);
  return g_strdup_printf("%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2], b[3], b[4], b[5], b[6],
                         b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

/* DSP0134, 7.2.1: one of these two says that there is none, the other that there is none yet. */
static bool says_none(const char *uuid) {
  return strspn(uuid, "0-") == strlen(uuid) || strspn(uuid, "fF-") == strlen(uuid);
}

static void check_uuid(OptionDraft *draft, Config *config) {
  const char *where = option_where(draft, "uuid", -1);

  if (!config->uuid)
    config->uuid = config->name ? derive_uuid(config->name) : NULL;
  else if (!g_uuid_string_is_valid(config->uuid))
    option_mistake(draft, where, "'%s' is no UUID: 324e6eaf-d1d1-4bf6-bf41-b9bb6c91fb87 is one", config->uuid);
  else if (says_none(config->uuid))
    option_mistake(draft, where, "'%s' tells the guest that there is none: leave out --uuid", config->uuid);
}

static void check_serial_number(OptionDraft *draft, const Config *config) {
  for (const char *at = config->serial_number; at && *at; at++)
    if (!g_ascii_isprint(*at)) {
      option_mistake(draft, option_where(draft, "serial-number", -1), "letters, digits, blanks and other ASCII characters make one");
      return;
    }
}

void config_check_identity(OptionDraft *draft, Config *config) {
  check_uuid(draft, config);
  check_serial_number(draft, config);
}
