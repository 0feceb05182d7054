/* SPDX-License-Identifier: Apache-2.0 */
/* The page's table of devices: what page/devices.js shows. No locks: a pure function. */
#pragma once

#include <json-glib/json-glib.h>

#include "vmm/trace/recording.h"

/*
 * Adds the member deviceTable to the object that BUILDER has open: queues, events and elsewhere, each an array of rows
 * in the order of device-table.h, and how many of each are left out.
 */
void html_add_devices(JsonBuilder *builder, const Recording *recording);
