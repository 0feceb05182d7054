/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of SMCCC functions, for traces and statistics. Arm DEN 0028 (SMCCC), 0022 (PSCI), 0057 (PV time), 0098 (TRNG);
 * Linux: include/linux/arm-smccc.h.
 */
#pragma once

#include <stdint.h>

/*
 * "PSCI CPU_ON", "SMCCC VERSION", "TRNG RND64", "PV_TIME ST", "KVM FEATURES", "eret_write"; what has no name is said by
 * owner and number, "vendor hypervisor service 0x4512 (fast, 64-bit)". Free with g_free.
 */
char *smccc_describe(uint32_t function);
/* PSCI's and SMCCC's return codes in words, "ALREADY_ON"; NULL for what is none. FUNCTION says whose code it is. */
const char *smccc_result_name(uint32_t function, int64_t result);
