/* SPDX-License-Identifier: Apache-2.0 */
/* CPUs on and off by PSCI: Arm Power State Coordination Interface (DEN 0022). */
#pragma once

#include "cpu.h"

/* Function IDs, DEN 0022, chapter 5; PSCI_64BIT for those that take addresses or affinities. */
#define PSCI_VERSION             0x84000000u
#define PSCI_CPU_SUSPEND         0x84000001u
#define PSCI_CPU_OFF             0x84000002u
#define PSCI_CPU_ON              0x84000003u
#define PSCI_AFFINITY_INFO       0x84000004u
#define PSCI_MIGRATE             0x84000005u
#define PSCI_MIGRATE_INFO_TYPE   0x84000006u
#define PSCI_MIGRATE_INFO_UP_CPU 0x84000007u
#define PSCI_SYSTEM_OFF          0x84000008u
#define PSCI_SYSTEM_RESET        0x84000009u
#define PSCI_FEATURES            0x8400000au
#define PSCI_SYSTEM_RESET2       0x84000012u
#define PSCI_64BIT               (1u << 30)

/* Answers: DEN 0022, 5.2.2 "Return error codes". */
#define PSCI_SUCCESS            0
#define PSCI_NOT_SUPPORTED      (-1)
#define PSCI_INVALID_PARAMETERS (-2)
#define PSCI_ALREADY_ON         (-4)
#define PSCI_ON_PENDING         (-5)
#define PSCI_INVALID_ADDRESS    (-9)

/* AFFINITY_INFO's answers. */
#define PSCI_AFFINITY_ON         0
#define PSCI_AFFINITY_OFF        1
#define PSCI_AFFINITY_ON_PENDING 2

/* Results are 32 bits, signed. */
int32_t psci_call(uint32_t function, uint64_t x1, uint64_t x2, uint64_t x3);

/* What an error is called: "ALREADY_ON". */
const char *psci_error_name(int32_t result);

/*
 * CPU number CPU turned on, to run FUNCTION with the MMU on, interrupts masked, its own stack. When FUNCTION returns,
 * the CPU turns itself off. ARGUMENT: up to 48 bits. Returns what PSCI answers.
 */
typedef void (*CpuFunction)(uint64_t argument);
int32_t cpu_start(unsigned cpu, CpuFunction function, uint64_t argument);
/* Is it off? Waits up to 10 seconds. */
bool cpu_wait_off(unsigned cpu);

/* Where CPU_ON sends a CPU, and what it is to be given as context, for those who make the call themselves. */
void secondary_entry(void);
uint64_t cpu_context(unsigned cpu, CpuFunction function, uint64_t argument);

/* Waits until *VALUE has reached AT_LEAST. False: it has not, after so many seconds. */
bool wait_until(const volatile uint64_t *value, uint64_t at_least, unsigned seconds);

void power_off(void) __attribute__((noreturn));
