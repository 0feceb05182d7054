/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes AML, the byte code of ACPI's namespace (ACPI Specification 6.3, chapter 20), from front to back. What encloses
 * others (a scope, a device, a method, a package, a list of resources) is opened by an aml_begin_... and closed by
 * aml_end; its length is filled in then. AML is prefix notation, so an expression is written operator first, operands
 * after it: aml_op(aml, AML_STORE), aml_arg(aml, 0), aml_path(aml, "CDW3").
 *
 * Names come from this program alone: a wrong one is a programming error. So is what does not nest.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "fdt/fdt-writer.h"

typedef struct Aml Aml;

Aml *aml_new(void);
void aml_free(Aml *aml); /* takes NULL */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Aml, aml_free)
/* Everything that was opened is closed. The bytes; AML is empty again. */
GByteArray *aml_finish(Aml *aml);

/* Namespace objects: ACPI 6.3, 20.2.5. PATH: "\\_SB", "PCI0", "^X.Y"; each name at most four letters. */
void aml_begin_scope(Aml *aml, const char *path);
void aml_begin_device(Aml *aml, const char *name);
/* Serialized: its names are not made twice at a time. */
void aml_begin_method(Aml *aml, const char *name, unsigned n_arguments);
/* The value follows: an aml_integer, aml_string, aml_begin_package, aml_begin_resources ... */
void aml_name(Aml *aml, const char *name);
void aml_end(Aml *aml);

/* Data. */
void aml_integer(Aml *aml, uint64_t value);
void aml_string(Aml *aml, const char *text);
void aml_bytes(Aml *aml, const void *bytes, size_t size);
/* "PNP0A08" as the number that it stands for: 19.3.4. */
void aml_eisa_id(Aml *aml, const char *id);
/* "33db4d5b-1ff7-401c-9657-7441c03dd766" as the 16 bytes that it stands for: 19.6.142. */
void aml_uuid(Aml *aml, const char *uuid);
/* N elements follow, then aml_end. */
void aml_begin_package(Aml *aml, unsigned n);

/* Names with values, in short. */
void aml_name_integer(Aml *aml, const char *name, uint64_t value);
void aml_name_string(Aml *aml, const char *name, const char *text);
void aml_name_eisa_id(Aml *aml, const char *name, const char *id);

/* Expressions and statements: 20.2.5.3, 20.2.5.4. */
typedef enum {
  AML_STORE = 0x70,              /* source, target */
  AML_AND = 0x7b,                /* operand, operand, target */
  AML_OR = 0x7d,                 /* the same */
  AML_NOTIFY = 0x86,             /* object, value */
  AML_CREATE_DWORD_FIELD = 0x8a, /* buffer, byte offset, new name */
  AML_LNOT = 0x92,               /* operand */
  AML_LEQUAL = 0x93,             /* operand, operand */
  AML_RETURN = 0xa4,             /* value */
} AmlOp;
void aml_op(Aml *aml, AmlOp op);
void aml_path(Aml *aml, const char *path);
void aml_arg(Aml *aml, unsigned n);   /* 0 .. 6 */
void aml_local(Aml *aml, unsigned n); /* 0 .. 7 */
/* The condition follows, then what is done; then aml_end. An else goes directly behind an if that has ended. */
void aml_begin_if(Aml *aml);
void aml_begin_else(Aml *aml);

/* A resource template: the descriptors below follow, then aml_end. 6.4. */
void aml_begin_resources(Aml *aml);
void aml_memory32_fixed(Aml *aml, uint32_t base, uint32_t size);
/* GSI: an INTID of the GIC. */
void aml_interrupt(Aml *aml, uint32_t gsi, FdtIrqTrigger trigger);
/* Ranges that a bridge hands on to what is below it; LAST is in the range. */
void aml_bus_numbers(Aml *aml, uint16_t first, uint16_t last);
void aml_memory32_window(Aml *aml, uint32_t base, uint32_t size);
void aml_memory64_window(Aml *aml, uint64_t base, uint64_t size, bool prefetchable);
/* I/O ports 0 .. SIZE - 1 below the bridge, each a byte of memory from BASE on above it. */
void aml_io_window(Aml *aml, uint64_t base, uint32_t size);
/* A line of the GPIO controller at PATH whose rising edge interrupts, and wakes the machine up. */
void aml_gpio_interrupt(Aml *aml, const char *path, uint16_t line);

/* What devices have in common: _HID as a text, _UID and _CCA 1, as all DMA here is coherent. */
void aml_begin_device_of(Aml *aml, const char *name, const char *hid, unsigned uid);
/* _CRS of a device with registers, and a wire unless GSI is 0. */
void aml_registers(Aml *aml, uint64_t base, uint64_t size, uint32_t gsi, FdtIrqTrigger trigger);

/*
 * A generic event device (5.6.9) that waits for GSI, and tells the object at PATH that its status changed.
 */
void aml_event_device(Aml *aml, const char *name, unsigned uid, uint32_t gsi, FdtIrqTrigger trigger, const char *path);

/*
 * For a device that ACPI has no name for, PRP0001, which is described as in a device tree: Linux, Documentation/
 * firmware-guide/acpi/enumeration.rst, "Device Tree namespace link device ID". N properties follow, and their end.
 */
#define AML_COMPATIBLE_HID "PRP0001"
void aml_begin_properties(Aml *aml, const char *compatible, unsigned n);
void aml_end_properties(Aml *aml);
void aml_property_integer(Aml *aml, const char *name, uint64_t value);
void aml_property_string(Aml *aml, const char *name, const char *text);
