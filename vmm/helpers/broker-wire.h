/* SPDX-License-Identifier: Apache-2.0 */
/* What a process in its cage and its broker say to each other: packets of one size each, by a socket pair. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef enum { BROKER_START, BROKER_SIGNAL, BROKER_REAP, BROKER_FORGET, BROKER_FAREWELL } BrokerWish;

typedef struct {
  uint32_t wish;   /* BrokerWish */
  uint32_t number; /* START: which program; else which process */
  int32_t signal_number;
} BrokerRequest;

#define BROKER_FDS        4   /* fd, output, pid_fd, and ready where there is one, of HelperEnds */
#define BROKER_ERROR_SIZE 256 /* a text that has no room is cut off */

/* To each request one. START has descriptors with it, in that order. */
typedef struct {
  uint32_t done;   /* else ERROR says why not */
  uint32_t number; /* START: the process's */
  int32_t pid;
  int32_t status; /* REAP, as waitpid(2) has it */
  char error[BROKER_ERROR_SIZE];
} BrokerReply;

/* With N descriptors, at most BROKER_FDS. False: the other end is gone. */
bool broker_send(int socket, const void *packet, uint32_t size, const int *fds, unsigned n);
/* Waits. *N: how many descriptors came: the caller's, close-on-exec. False: gone, or it was of another size. */
bool broker_receive(int socket, void *packet, uint32_t size, int fds[BROKER_FDS], unsigned *n);
