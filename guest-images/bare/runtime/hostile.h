/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What drivers that break virtio's rules have in common: numbers that look random and are the same each time, chains
 * that no driver may make, and what a device may do about one: return it, or say that it needs a reset (virtio 1.2,
 * 2.1.2).
 */
#pragma once

#include "virtio.h"

/* Memory that devices may write to. */
#define PLAYGROUND_SIZE (1u << 19)
extern uint8_t playground[];

/* Boot argument seed=N (1); prints it, and fills the playground. */
void hostile_begin(void);
/* 0 to LIMIT - 1 */
uint32_t hostile_random(uint32_t limit);

typedef enum { CAME_BACK, NEEDS_RESET, NOTHING } HostileAnswer;
/* Waits, for some seconds, until QUEUE has brought back all chains that were offered, or the device needs a reset. */
HostileAnswer hostile_wait(Virtio *virtio, unsigned queue);
/* The same, for so many milliseconds. */
HostileAnswer hostile_wait_for(Virtio *virtio, unsigned queue, unsigned milliseconds);

/*
 * Chains after which a device needs a reset, whatever queue they are in. hostile_chain makes number CHAIN of them
 * available, and returns its name; NULL: there are no more.
 */
const char *hostile_chain(Virtio *virtio, unsigned queue, unsigned chain);
/* Makes a chain of random descriptors available, of which most are good ones. */
void hostile_random_chain(VirtioQueue *queue);

/* Prints LINE, and where there is the boot argument `wait`, reads a character from the UART before going on. */
void hostile_pause(const char *line);
