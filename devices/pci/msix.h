/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MSI-X: PCI Express Base Specification 5.0, 6.1.4 and 7.7.2. One capability of a function, with its table and its
 * pending bits in a BAR of the function, whose accesses the function hands on.
 *
 * A lock of its own, innermost but for the MSI controller's: signal may come from any thread while a vCPU changes the
 * table.
 */
#pragma once

#include "devices/pci/pci.h"

#define MSIX_ENTRY_SIZE    16
#define MSIX_ENTRY_MESSAGE 12 /* of them address and data, which have no effect before the entry is unmasked, or no defined one (6.1.4.2) */
#define MSIX_MAX_VECTORS   256 /* here: a table of one 4 KiB page */

/*
 * Adds the capability to FUNCTION, which is plugged and whose host takes messages. N_VECTORS is 1 to MSIX_MAX_VECTORS;
 * the offsets in BAR are multiples of 8. To be stored in function->msix.
 */
MsiX *msix_new(PciFunction *function, unsigned n_vectors, unsigned bar, uint32_t table_offset, uint32_t pba_offset);
void msix_free(MsiX *msix); /* takes NULL */
void msix_reset(MsiX *msix);

/*
 * Accesses to the table and the pending bits, from their start on. Anything but aligned 4 or 8 bytes inside reads as
 * zeros.
 */
uint64_t msix_table_read(MsiX *msix, uint64_t offset, unsigned size);
void msix_table_write(MsiX *msix, uint64_t offset, unsigned size, uint64_t value);
uint64_t msix_pba_read(MsiX *msix, uint64_t offset, unsigned size);

/* Message Control may have changed. With the host's lock. */
void msix_control_written(MsiX *msix);
/* MSI-X Enable. Any thread, no lock. */
bool msix_enabled(const MsiX *msix);
/*
 * Sends the message of VECTOR, or marks it pending while it is masked. One out of range, or with MSI-X disabled, is
 * nothing. Any thread.
 */
void msix_signal(MsiX *msix, unsigned vector);
/*
 * Whoever signals the event descriptor FD sends the message of VECTOR, which exists, by way of the host while the
 * vector can fire and the host can do it. Otherwise a signal stays for whoever reads FD, who is to call msix_signal. FD
 * must stay open until msix_detach. Any thread.
 */
void msix_attach(MsiX *msix, unsigned vector, int fd);
void msix_detach(MsiX *msix, int fd); /* whether it is attached or not */
