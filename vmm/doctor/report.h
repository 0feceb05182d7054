/* SPDX-License-Identifier: Apache-2.0 */
/* A Doctor's word, for people and for programs. docs/doctor.md describes the JSON. */
#pragma once

#include "vmm/doctor/verdict.h"

/* Both append to OUT. */
void doctor_report_text(GString *out, const Doctor *doctor);
void doctor_report_json(GString *out, const Doctor *doctor);
