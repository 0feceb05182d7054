/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For the functions that every exit passes through: they lie together, so that a visit to eret touches few pages of it.
 */
#pragma once

#define ON_EXIT_PATH __attribute__((hot))
