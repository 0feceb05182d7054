/* SPDX-License-Identifier: Apache-2.0 */
/* The forms in which a run is shown. */
#pragma once

#include "tests/bench/report/rows.h"

/* Whether times mean anything by themselves: the host is no emulated one. */
bool bench_is_absolute(const Samples *samples);

/* For a person. Ends in a newline, as do the others. */
char *bench_table(const Samples *samples, const GArray *rows);
/* For a program: docs/benchmarks.md has its members. */
char *bench_json(const Samples *samples, const GArray *rows);
/* For a page: an SVG image of eret's values in relation to the reference's. */
char *bench_chart(const Samples *samples, const GArray *rows);
