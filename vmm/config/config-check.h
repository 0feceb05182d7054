/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of a whole configuration (config_check), in pieces. */
#pragma once

#include "vmm/config/config.h"

/* Network cards: each, and all of them together. */
void config_check_nets(OptionDraft *draft, const Config *config);
