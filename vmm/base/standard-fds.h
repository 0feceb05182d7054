/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Descriptors 0, 1 and 2 belong to the standard streams, also where whoever started the process has closed them: a file
 * that is opened next would take the place of a closed one, and what was meant for the terminal would be written into
 * it.
 */
#pragma once

#include <stdbool.h>

/*
 * To be called before anything is opened. A closed descriptor becomes /dev/null, opened for reading: a standard input
 * reads as empty, and writing to a standard output is the error (EBADF) that it was before. False: it could not be
 * done, and nothing may be opened.
 */
bool standard_fds_keep(void);
