/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which host CPUs a machine runs on. On a host with big and little cores a vCPU is made for one kind, and KVM refuses
 * to run it on another; and whoever measures wants a vCPU to stay where it is. Files below a root are handed in, so
 * that tests have their own. No lock: before any thread starts.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* The text makes no sense, or the host has no such CPUs. */
typedef enum { PIN_ERROR_HOST } PinError;
#define PIN_ERROR (pin_error_quark())
GQuark pin_error_quark(void);

typedef struct {
  GArray *cpus;    /* of unsigned: the machine's, in the order in which vCPUs take them */
  bool one_to_one; /* vCPU n stays on the nth of them, and not on any */
} Pin;

/*
 * TEXT is "auto", the largest group of CPUs of one kind among those this process may use, or a list, "0-3,8". NULL with
 * an error that names what is wrong. ROOT: "" outside of tests.
 */
Pin *pin_new(const char *text, const char *root, GError **error);
void pin_free(Pin *pin); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Pin, pin_free)

/* Is TEXT well-formed? For checks before there is a host. */
bool pin_is_valid(const char *text, GError **error);

/* The calling thread, and those that it starts, stay on the machine's CPUs; with VCPU not negative on that vCPU's. */
bool pin_thread(const Pin *pin, int vcpu, GError **error);
