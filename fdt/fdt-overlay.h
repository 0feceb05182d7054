/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Device-tree overlays (Devicetree Specification has none; dtc: Documentation/dt-object-internal.txt, and Linux:
 * Documentation/devicetree/overlay-notes.rst): fragments, each with a target in the tree and what is added there.
 */
#pragma once

#include <glib.h>

typedef enum {
  FDT_OVERLAY_ERROR_INVALID, /* it is no overlay, or damaged */
  FDT_OVERLAY_ERROR_TARGET,  /* it does not fit this tree */
  FDT_OVERLAY_ERROR_REFUSED, /* it would change what it may not, or is too much */
} FdtOverlayError;
#define FDT_OVERLAY_ERROR (fdt_overlay_error_quark())
GQuark fdt_overlay_error_quark(void);

/*
 * A new tree: FDT, a sound tree of ours, with OVERLAY applied, which may be any bytes. FDT stays as it is. What a
 * loader has put into /chosen (linux,initrd-start and its like) cannot be changed. NULL: an error that says what is
 * wrong, and in which fragment; that OVERLAY is of the file so-and-so is the caller's to say.
 */
GBytes *fdt_overlay(GBytes *fdt, GBytes *overlay, GError **error);
