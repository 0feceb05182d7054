/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hypercall doorbell: eret's own device; docs/hypercalls.md, "The doorbell page", specifies it. 16 frames of 4 KiB that
 * do not know of each other, so that as many callers can share it without a lock of their own. In a frame:
 *
 *   0x000 + 8n  X0 .. X17       arguments, then results; 64-bit, or 32-bit halves
 *   0x100       CALL            32-bit write of a function ID: the call; afterwards the results are there. Reads: the last one
 *   0x104       CALLS           calls of this frame so far, modulo 2^32
 *   0x110       MAGIC           "eret"
 *   0x114       VERSION         of eret's hypercalls: major << 16 | minor
 *   0x118       FUNCTION_BASE   eret's first function ID
 *   0x11c       FRAME           this frame's number
 *
 * All else reads as zeros. The bus holds the device's lock around each access, calls included: frames call one after
 * the other.
 */
#include "devices/hypercall-doorbell.h"

#include <string.h>

#define X_END         (8 * HYPERCALL_DOORBELL_REGISTERS)
#define CALL          0x100
#define CALLS         0x104
#define MAGIC         0x110
#define VERSION       0x114
#define FUNCTION_BASE 0x118
#define FRAME         0x11c

#define MAGIC_VALUE 0x74657265u /* "eret", little-endian */

typedef struct {
  uint64_t x[HYPERCALL_DOORBELL_REGISTERS];
  uint32_t function, calls;
} Frame;

typedef struct {
  Device device;
  HypercallDoorbellCalls calls;
  struct {
    Frame frames[HYPERCALL_DOORBELL_FRAMES];
  } state;
} HypercallDoorbell;

static const char *const x_names[HYPERCALL_DOORBELL_REGISTERS] = {"X0", "X1",  "X2",  "X3",  "X4",  "X5",  "X6",  "X7",  "X8",
                                                                  "X9", "X10", "X11", "X12", "X13", "X14", "X15", "X16", "X17"};

/* The register at OFFSET in a frame, a multiple of 4. */
static uint32_t read_word(const HypercallDoorbell *doorbell, unsigned frame, uint64_t offset) {
  const Frame *state = &doorbell->state.frames[frame];

  if (offset < X_END)
    return (uint32_t)(state->x[offset / 8] >> 8 * (offset & 4));
  switch (offset) {
  case CALL:
    return state->function;
  case CALLS:
    return state->calls;
  case MAGIC:
    return MAGIC_VALUE;
  case VERSION:
    return doorbell->calls.version;
  case FUNCTION_BASE:
    return doorbell->calls.first_function;
  case FRAME:
    return frame;
  default:
    return 0;
  }
}

static uint64_t hypercall_doorbell_read(Device *device, uint64_t offset, unsigned size) {
  const HypercallDoorbell *doorbell = (const HypercallDoorbell *)device;
  unsigned frame = (unsigned)(offset / HYPERCALL_DOORBELL_FRAME_SIZE) % HYPERCALL_DOORBELL_FRAMES;
  uint64_t in_frame = offset % HYPERCALL_DOORBELL_FRAME_SIZE;
  uint64_t value = read_word(doorbell, frame, in_frame);

  if (size == 8)
    value |= (uint64_t)read_word(doorbell, frame, in_frame + 4) << 32;
  return value;
}

static void ring(HypercallDoorbell *doorbell, unsigned frame, uint32_t function) {
  Frame *state = &doorbell->state.frames[frame];

  state->function = function;
  state->calls++;
  doorbell->calls.call(doorbell->calls.opaque, frame, function, state->x);
}

static void hypercall_doorbell_write(Device *device, uint64_t offset, unsigned size, uint64_t value) {
  HypercallDoorbell *doorbell = (HypercallDoorbell *)device;
  unsigned frame = (unsigned)(offset / HYPERCALL_DOORBELL_FRAME_SIZE) % HYPERCALL_DOORBELL_FRAMES;
  uint64_t in_frame = offset % HYPERCALL_DOORBELL_FRAME_SIZE;

  if (in_frame == CALL && size == 4) {
    ring(doorbell, frame, (uint32_t)value);
    return;
  }
  if (in_frame >= X_END)
    return;
  uint64_t *x = &doorbell->state.frames[frame].x[in_frame / 8];
  unsigned shift = 8 * (in_frame & 4);
  if (size == 8)
    *x = value;
  else
    *x = (*x & ~(UINT64_C(0xffffffff) << shift)) | (value & 0xffffffff) << shift;
}

static const char *hypercall_doorbell_register_name(const Device *device, uint64_t offset) {
  static const char *const names[] = {"CALL", "CALLS", NULL, NULL, "MAGIC", "VERSION", "FUNCTION_BASE", "FRAME"};
  uint64_t in_frame = offset % HYPERCALL_DOORBELL_FRAME_SIZE;

  if (in_frame < X_END)
    return x_names[in_frame / 8];
  return in_frame >= CALL && in_frame <= FRAME && in_frame % 4 == 0 ? names[(in_frame - CALL) / 4] : NULL;
}

static void hypercall_doorbell_describe(const Device *device, const DeviceSlot *slot, FdtWriter *fdt) {
  const HypercallDoorbell *doorbell = (const HypercallDoorbell *)device;

  fdt_writer_begin_at(fdt, "hypercall", slot->base);
  fdt_writer_string(fdt, "compatible", "eret,hypercall-1.0");
  fdt_writer_reg(fdt, slot->base, slot->size);
  if (doorbell->calls.method)
    fdt_writer_string(fdt, "method", doorbell->calls.method);
  fdt_writer_u32(fdt, "eret,function-base", doorbell->calls.first_function);
  fdt_writer_u32(fdt, "eret,version", doorbell->calls.version);
  fdt_writer_end(fdt);
}

static void hypercall_doorbell_describe_acpi(const Device *device, const DeviceSlot *slot, AcpiWriter *acpi) {
  const HypercallDoorbell *doorbell = (const HypercallDoorbell *)device;
  Aml *aml = acpi->aml;

  device_begin_acpi(acpi, "HCD0", AML_COMPATIBLE_HID, 0, slot);
  aml_begin_properties(aml, "eret,hypercall-1.0", doorbell->calls.method ? 3 : 2);
  if (doorbell->calls.method)
    aml_property_string(aml, "method", doorbell->calls.method);
  aml_property_integer(aml, "eret,function-base", doorbell->calls.first_function);
  aml_property_integer(aml, "eret,version", doorbell->calls.version);
  aml_end_properties(aml);
  aml_end(aml);
}

static void hypercall_doorbell_reset(Device *device) {
  HypercallDoorbell *doorbell = (HypercallDoorbell *)device;
  memset(&doorbell->state, 0, sizeof doorbell->state);
}

static const DeviceOps hypercall_doorbell_ops = {
    .access_sizes = ACCESS_4 | ACCESS_8,
    .read = hypercall_doorbell_read,
    .write = hypercall_doorbell_write,
    .register_name = hypercall_doorbell_register_name,
    .describe = hypercall_doorbell_describe,
    .describe_acpi = hypercall_doorbell_describe_acpi,
    .reset = hypercall_doorbell_reset,
};

static Device *hypercall_doorbell_make(const DeviceParts *parts, GError **error) {
  HypercallDoorbell *doorbell = device_new(sizeof *doorbell, &hypercall_doorbell_ops, "hypercall-doorbell");
  doorbell->calls = *parts->hypercalls;
  return &doorbell->device;
}

const DeviceKind hypercall_doorbell_kind = {
    .name = "hypercall",
    .note = "doorbell page",
    .size = HYPERCALL_DOORBELL_SIZE,
    .make = hypercall_doorbell_make,
};
