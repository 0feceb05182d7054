/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first dot is the one behind the suite's name, in which dots are escaped; '~' is escaped everywhere and stands
 * only before what is not part of the names. So each name can be read back to what it was made of, a long one but for
 * its hash.
 */
#include "vmm/suite/case-file.h"

#include <glib.h>
#include <string.h>

#define PLAIN_MAX  200 /* of suite and name; a longer one is cut and hashed */
#define PREFIX_MAX 128 /* of it that is left before the hash */

static void append_escaped(GString *out, const char *text, const char *plain) {
  for (; *text; text++)
    if (g_ascii_isalnum(*text) || strchr(plain, *text))
      g_string_append_c(out, *text);
    else
      g_string_append_printf(out, "%%%02X", (guint)(guchar)*text);
}

char *case_file_name(const char *suite, const char *name, unsigned attempt) {
  GString *out = g_string_new(NULL);

  append_escaped(out, suite, "_-+=,@[]");
  g_string_append_c(out, '.');
  append_escaped(out, name, "_-+=,@[].");
  if (out->len > PLAIN_MAX) {
    g_autofree char *hash = g_compute_checksum_for_string(G_CHECKSUM_SHA256, out->str, -1);
    g_string_truncate(out, PREFIX_MAX);
    g_string_append_printf(out, "~%s", hash);
  }
  if (attempt > 1)
    g_string_append_printf(out, "~%u", attempt);
  return g_string_free(out, FALSE);
}
