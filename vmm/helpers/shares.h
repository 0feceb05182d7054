/* SPDX-License-Identifier: Apache-2.0 */
/* Directories for guests (devices/share.h) that virtiofsd serves: one virtiofsd a directory. */
#pragma once

#include "devices/share.h"
#include "vmm/helpers/helper-process.h"

/*
 * Finds virtiofsd, and asks it what it can. NULL: it is not there, or not one that can be used: the error. BROKER: as
 * in HelperConfig, or NULL.
 */
Shares *virtiofsd_shares_new(Broker *broker, GError **error);
void virtiofsd_shares_free(Shares *shares); /* after the helpers; takes NULL */
