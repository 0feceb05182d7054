/* The forms in which a run is shown. */
#pragma once

#include "tests/bench/report/rows.h"

/* Whether times mean anything by themselves: the host is no emulated one. */
bool report_is_absolute(const Samples *samples);

/* For a person. Ends in a newline, as do the others. */
char *report_table(const Samples *samples, const GArray *rows);
/* For a program: docs/benchmarks.md has its members. */
char *report_json(const Samples *samples, const GArray *rows);
/* For a page: an SVG image of eret's values in relation to the reference's. */
char *report_chart(const Samples *samples, const GArray *rows);
