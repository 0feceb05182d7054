/* SPDX-License-Identifier: Apache-2.0 */
/* Text for a person: by the UART, or by eret's hypercall. One line at a time, whichever CPU it comes from. */
#pragma once

/* As printf, with what text_format knows: d, u, x, s, c, p; l; width. At most 400 characters a call. */
void print(const char *format, ...) __attribute__((format(printf, 1, 2)));
