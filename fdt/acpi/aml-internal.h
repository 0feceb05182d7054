/* SPDX-License-Identifier: Apache-2.0 */
/* What the two halves of the AML writer share. */
#pragma once

#include "fdt/acpi/aml.h"

/* Where the descriptors of the open resource template go. */
GByteArray *aml_open_bytes(Aml *aml);
