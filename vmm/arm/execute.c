/* SPDX-License-Identifier: Apache-2.0 */
/* One function a kind; all of them work on elements, of which a plain load has one, and LD4 up to 64. */
#include "vmm/arm/execute.h"

#define ELEMENTS_MAX  512 /* of DC ZVA's largest block, 2 KiB in pieces of 8; LD4 has 64 */
#define REGISTER_ZERO 31
#define PAGE_MIN      4096 /* the smallest that there is */

static uint64_t get_register(const A64Machine *machine, unsigned n) {
  return n == REGISTER_ZERO ? 0 : machine->ops->get_x(machine->opaque, n);
}

static void set_register(const A64Machine *machine, unsigned n, uint64_t value) {
  if (n != REGISTER_ZERO)
    machine->ops->set_x(machine->opaque, n, value);
}

static uint64_t mask_of(unsigned size) {
  return size >= 8 ? UINT64_MAX : (UINT64_C(1) << size * 8) - 1;
}

/* Addresses. */

static uint64_t extended(const A64Machine *machine, const A64Access *access) {
  uint64_t value = get_register(machine, access->offset_register);

  if (access->extend == 2)
    value = (uint32_t)value;
  else if (access->extend == 6)
    value = (uint64_t)(int64_t)(int32_t)value;
  return value << access->shift;
}

static uint64_t base_of(const A64Machine *machine, const A64Access *access) {
  if (access->base == A64_LITERAL)
    return machine->pc;
  if (access->kind == A64_ZERO)
    return get_register(machine, access->base) & ~(uint64_t)(machine->zero_block - 1);
  return machine->ops->get_x(machine->opaque, access->base); /* 31: SP */
}

static unsigned count_elements(const A64Machine *machine, const A64Access *access) {
  if (access->kind == A64_ZERO)
    return machine->zero_block / 8;
  if (!access->structure)
    return access->n_registers;
  return access->single ? access->selected : access->n_registers * access->width / access->size;
}

static unsigned size_of(const A64Access *access) {
  return access->kind == A64_ZERO ? 8 : access->size;
}

static unsigned rights_of(const A64Access *access) {
  static const uint8_t kinds[] = {
      [A64_LOAD] = A64_READ,
      [A64_LOAD_EXCLUSIVE] = A64_READ,
      [A64_STORE] = A64_WRITE,
      [A64_STORE_EXCLUSIVE] = A64_WRITE,
      [A64_ATOMIC] = A64_READ | A64_WRITE,
      [A64_COMPARE_AND_SWAP] = A64_READ | A64_WRITE,
      [A64_ZERO] = A64_WRITE,
  };
  return kinds[access->kind];
}

/*
 * One element, which is one piece of physical memory: where it crosses into another page, both have to lie side by
 * side.
 */
static bool place_element(const A64Machine *machine, const A64Access *access, uint64_t virtual, uint64_t *physical) {
  unsigned size = size_of(access), rights = rights_of(access);
  uint64_t end;

  if (!machine->ops->translate(machine->opaque, virtual, rights, access->unprivileged, physical))
    return false;
  if (virtual % PAGE_MIN + size <= PAGE_MIN)
    return true;
  return machine->ops->translate(machine->opaque, virtual + size - 1, rights, access->unprivileged, &end) && end == *physical + size - 1;
}

/* Where each of the N elements lies. */
static bool place(const A64Machine *machine, const A64Access *access, uint64_t virtual, unsigned n, uint64_t *physical) {
  for (unsigned i = 0; i < n; i++)
    if (!place_element(machine, access, virtual + (uint64_t)i * size_of(access), &physical[i]))
      return false;
  return true;
}

/* An instruction that both reads and writes may be reported as either. */
static bool is_reported(const A64Machine *machine, const A64Access *access, const uint64_t *physical, unsigned n) {
  if (!(rights_of(access) & (machine->reported_write ? A64_WRITE : A64_READ)))
    return false;
  for (unsigned i = 0; i < n; i++)
    if (machine->reported - physical[i] < size_of(access))
      return true;
  return false;
}

static bool touches_ram(const A64Machine *machine, const A64Access *access, const uint64_t *physical, unsigned n) {
  for (unsigned i = 0; i < n; i++)
    if (machine->ops->is_ram(machine->opaque, physical[i]) || machine->ops->is_ram(machine->opaque, physical[i] + size_of(access) - 1))
      return true;
  return false;
}

/* Elements. */

static uint64_t swap(uint64_t value, unsigned size) {
  return __builtin_bswap64(value) >> (64 - size * 8);
}

static A64Vector read_element(const A64Machine *machine, uint64_t physical, unsigned size) {
  unsigned part = size > 8 ? 8 : size;
  uint64_t first = machine->ops->read(machine->opaque, physical, part);
  uint64_t second = size > 8 ? machine->ops->read(machine->opaque, physical + 8, 8) : 0;

  if (!machine->big_endian)
    return (A64Vector){{first, second}};
  return size > 8 ? (A64Vector){{swap(second, 8), swap(first, 8)}} : (A64Vector){{swap(first, part), 0}};
}

static void write_element(const A64Machine *machine, uint64_t physical, unsigned size, A64Vector value) {
  unsigned part = size > 8 ? 8 : size;
  uint64_t first = value.lanes[0] & mask_of(part), second = value.lanes[1];

  if (machine->big_endian) {
    uint64_t low = first;
    first = size > 8 ? swap(second, 8) : swap(low, part);
    second = swap(low, 8 < size ? 8 : part);
  }
  machine->ops->write(machine->opaque, physical, part, first);
  if (size > 8)
    machine->ops->write(machine->opaque, physical + 8, 8, second);
}

static uint64_t extend_sign(const A64Access *access, uint64_t value) {
  unsigned unused = 64 - access->size * 8;

  if (access->is_signed)
    value = (uint64_t)((int64_t)(value << unused) >> unused);
  return access->to_32_bits ? (uint32_t)value : value;
}

/* Loads and stores of whole registers. */

static void load(const A64Machine *machine, const A64Access *access, const uint64_t *physical) {
  A64Vector values[2];

  for (unsigned i = 0; i < access->n_registers; i++)
    values[i] = read_element(machine, physical[i], access->size);
  for (unsigned i = 0; i < access->n_registers; i++) {
    if (access->vector)
      machine->ops->set_v(machine->opaque, access->registers[i], values[i]);
    else
      set_register(machine, access->registers[i], extend_sign(access, values[i].lanes[0]));
  }
}

static void store(const A64Machine *machine, const A64Access *access, const uint64_t *physical) {
  for (unsigned i = 0; i < access->n_registers; i++) {
    unsigned n = access->registers[i];
    A64Vector value = access->vector ? machine->ops->get_v(machine->opaque, n) : (A64Vector){{get_register(machine, n), 0}};
    write_element(machine, physical[i], access->size, value);
  }
}

/* SIMD structures. */

static uint64_t get_lane(const A64Vector *vector, unsigned lane, unsigned size) {
  unsigned at = lane * size;
  return vector->lanes[at / 8] >> at % 8 * 8 & mask_of(size);
}

static void set_lane(A64Vector *vector, unsigned lane, unsigned size, uint64_t value) {
  unsigned at = lane * size;
  uint64_t mask = mask_of(size) << at % 8 * 8;
  vector->lanes[at / 8] = (vector->lanes[at / 8] & ~mask) | (value << at % 8 * 8 & mask);
}

/* Of element NUMBER, which register (as an index) and which lane. */
static void locate(const A64Access *access, unsigned number, unsigned *index, unsigned *lane) {
  unsigned lanes = access->width / access->size;

  *lane = access->single ? access->lane : number / access->selected % lanes;
  *index = number % access->selected + (access->single ? 0 : number / access->selected / lanes * access->selected);
}

static void load_structure(const A64Machine *machine, const A64Access *access, const uint64_t *physical) {
  unsigned n = count_elements(machine, access), index, lane;
  A64Vector registers[A64_REGISTERS_MAX] = {{{0, 0}}};

  for (unsigned i = 0; access->single && !access->replicate && i < access->n_registers; i++) /* the other lanes stay */
    registers[i] = machine->ops->get_v(machine->opaque, access->registers[i]);
  for (unsigned i = 0; i < n; i++) {
    uint64_t value = read_element(machine, physical[i], access->size).lanes[0];
    locate(access, i, &index, &lane);
    if (!access->replicate)
      set_lane(&registers[index], lane, access->size, value);
    for (unsigned each = 0; access->replicate && each < access->width / access->size; each++)
      set_lane(&registers[index], each, access->size, value);
  }
  for (unsigned i = 0; i < access->n_registers; i++)
    machine->ops->set_v(machine->opaque, access->registers[i], registers[i]);
}

static void store_structure(const A64Machine *machine, const A64Access *access, const uint64_t *physical) {
  unsigned n = count_elements(machine, access), index, lane;
  A64Vector registers[A64_REGISTERS_MAX];

  for (unsigned i = 0; i < access->n_registers; i++)
    registers[i] = machine->ops->get_v(machine->opaque, access->registers[i]);
  for (unsigned i = 0; i < n; i++) {
    locate(access, i, &index, &lane);
    write_element(machine, physical[i], access->size, (A64Vector){{get_lane(&registers[index], lane, access->size), 0}});
  }
}

/* Exclusives and atomics. */

static void load_exclusive(const A64Machine *machine, const A64Access *access, const uint64_t *physical) {
  *machine->monitor = (A64Monitor){true, physical[0], access->size * access->n_registers};
  load(machine, access, physical);
}

static void store_exclusive(const A64Machine *machine, const A64Access *access, const uint64_t *physical) {
  const A64Monitor *monitor = machine->monitor;
  bool succeeds = monitor->armed && monitor->address == physical[0] && monitor->size == access->size * access->n_registers;

  machine->monitor->armed = false;
  if (succeeds)
    store(machine, access, physical);
  set_register(machine, access->status, !succeeds);
}

static uint64_t compute(A64Atomic atomic, unsigned size, uint64_t old, uint64_t operand) {
  unsigned unused = 64 - size * 8;
  int64_t signed_old = (int64_t)(old << unused), signed_operand = (int64_t)(operand << unused);

  switch (atomic) {
  case A64_ADD:
    return old + operand;
  case A64_CLR:
    return old & ~operand;
  case A64_EOR:
    return old ^ operand;
  case A64_SET:
    return old | operand;
  case A64_SMAX:
    return signed_old > signed_operand ? old : operand;
  case A64_SMIN:
    return signed_old < signed_operand ? old : operand;
  case A64_UMAX:
    return old > operand ? old : operand;
  case A64_UMIN:
    return old < operand ? old : operand;
  default:
    return operand;
  }
}

static void change(const A64Machine *machine, const A64Access *access, const uint64_t *physical) {
  uint64_t operand = get_register(machine, access->status) & mask_of(access->size);
  uint64_t old = read_element(machine, physical[0], access->size).lanes[0];

  write_element(machine, physical[0], access->size, (A64Vector){{compute(access->atomic, access->size, old, operand), 0}});
  set_register(machine, access->registers[0], old);
}

static void compare_and_swap(const A64Machine *machine, const A64Access *access, const uint64_t *physical) {
  uint64_t old[2];
  bool equal = true;

  for (unsigned i = 0; i < access->n_registers; i++) {
    old[i] = read_element(machine, physical[i], access->size).lanes[0];
    equal &= old[i] == (get_register(machine, access->status + i) & mask_of(access->size));
  }
  if (equal)
    store(machine, access, physical);
  for (unsigned i = 0; i < access->n_registers; i++)
    set_register(machine, access->status + i, old[i]);
}

static void zero(const A64Machine *machine, const A64Access *access, const uint64_t *physical) {
  for (unsigned i = 0; i < count_elements(machine, access); i++)
    machine->ops->write(machine->opaque, physical[i], 8, 0);
}

static void perform(const A64Machine *machine, const A64Access *access, const uint64_t *physical) {
  static void (*const kinds[])(const A64Machine *machine, const A64Access *access, const uint64_t *physical) = {
      [A64_LOAD] = load,
      [A64_STORE] = store,
      [A64_LOAD_EXCLUSIVE] = load_exclusive,
      [A64_STORE_EXCLUSIVE] = store_exclusive,
      [A64_ATOMIC] = change,
      [A64_COMPARE_AND_SWAP] = compare_and_swap,
      [A64_ZERO] = zero,
  };

  if (access->structure && access->kind == A64_LOAD)
    load_structure(machine, access, physical);
  else if (access->structure)
    store_structure(machine, access, physical);
  else
    kinds[access->kind](machine, access, physical);
}

A64Outcome a64_execute(const A64Machine *machine, const A64Access *access) {
  uint64_t physical[ELEMENTS_MAX];

  if (access->kind == A64_NOTHING)
    return A64_DONE;
  unsigned n = count_elements(machine, access);
  uint64_t base = base_of(machine, access);
  uint64_t moved = base + (access->register_offset ? extended(machine, access) : (uint64_t)access->offset);
  if (n > ELEMENTS_MAX || !place(machine, access, access->index == A64_POST_INDEX ? base : moved, n, physical))
    return A64_NOT_GRANTED;
  if (!is_reported(machine, access, physical, n))
    return A64_NOT_IT;
  if (touches_ram(machine, access, physical, n))
    return A64_IN_RAM;
  perform(machine, access, physical);
  /* After the load: where the base is loaded too, which is unpredictable, write-back wins. */
  if (access->index != A64_OFFSET)
    machine->ops->set_x(machine->opaque, access->base, moved);
  return A64_DONE;
}
