/* SPDX-License-Identifier: Apache-2.0 */
/* User networks (devices/user-network.h) that passt makes: one passt a network card. */
#pragma once

#include "devices/user-network.h"
#include "vmm/helpers/helper-process.h"

/*
 * Finds passt, and asks it what it can. NULL: it is not there, or not one that can be used: the error. BROKER: as in
 * HelperConfig, or NULL.
 */
UserNetworks *passt_networks_new(Broker *broker, GError **error);
void passt_networks_free(UserNetworks *networks); /* after the networks; takes NULL */
