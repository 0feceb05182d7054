/* SPDX-License-Identifier: Apache-2.0 */
/* What a run has seen, as tests/bench/host/lib.sh prints it: values of figures, by the subject that was measured. */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct Samples Samples;

typedef struct {
  const char *figure, *subject, *name;
  double value;
} Detail;

/* Lines that are none of ours are passed over; a line of ours that cannot be understood is an error which names it. */
Samples *samples_parse(const char *text, GError **error);
void samples_free(Samples *samples);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Samples, samples_free)

/* Of double, in the order of the rounds; NULL: none. */
const GArray *samples_values(const Samples *samples, const char *figure, const char *subject);

/* Why there are none; NULL: nobody has said. */
const char *samples_reason(const Samples *samples, const char *figure, const char *subject);

/* NULL: not said. */
const char *samples_info(const Samples *samples, const char *key);

/* Of const char *, sorted; the caller frees the list alone. */
GList *samples_info_keys(const Samples *samples);

/* Of Detail, in the order they came. */
const GArray *samples_details(const Samples *samples);
