/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/* A system call's name, a text that lasts; NULL: it has none here. Async-signal-safe. */
const char *cage_call_name(int number);
