/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that attacks the firmware configuration device (QEMU: docs/specs/fw_cfg.rst), whose DMA makes the
 * hypervisor write to where the guest says. First the device has to do what it is for: the item opt/pattern,
 * PATTERN_SIZE bytes, is read by registers and by DMA. Then come targets and requests that are not memory, or not all
 * of it, lengths of 4 GiB, writes, keys without an item, and, where there are two CPUs, requests that the other CPU
 * changes while they are carried out; and then random requests, the same each time for the same seed. What a request
 * does not name stays as it was, and the device works afterwards.
 *
 * Boot arguments: count=N (2000) random requests, seed=N (1); `wait` for a key before and after, so that somebody can
 * look at the hypervisor.
 */
#include "cpus.h"
#include "fdt.h"
#include "guest.h"
#include "hostile.h"
#include "text.h"

const char *const guest_name = "fw-cfg-hostile";

#define ITEM         "opt/pattern"
#define PATTERN_SIZE 1000 /* byte n of it is 7 * n, modulo 256 */
#define NAME_SIZE    56
#define FILE_DIR     0x19
#define GUARD        4096 /* what lies around a target */
#define TARGET       (playground + GUARD)
#define TARGET_SIZE  (PLAYGROUND_SIZE - 2 * GUARD)
#define CHANGES      300 /* requests that are changed meanwhile */

enum { DATA = 0x00, SELECTOR = 0x08, DMA = 0x10, DMA_LOW = 0x14 };
enum { FAILED = 1, READ = 2, SKIP = 4, SELECT = 8, WRITE = 16 };

typedef struct {
  uint32_t control, length;
  uint64_t address;
} Request; /* all big-endian */

static uint64_t fw_cfg;
static uint16_t key;
static Request request __attribute__((aligned(16)));

static uint32_t be32(uint32_t value) {
  return __builtin_bswap32(value);
}

static void choose(uint16_t wanted) {
  mmio_write16(fw_cfg + SELECTOR, __builtin_bswap16(wanted));
}

static uint8_t next_byte(void) {
  return mmio_read8(fw_cfg + DATA);
}

static void ring(uint64_t address) {
  dsb();
  mmio_write64(fw_cfg + DMA, __builtin_bswap64(address));
  dsb();
}

static uint32_t dma(uint32_t control, uint32_t length, uint64_t address) {
  request = (Request){be32(control), be32(length), __builtin_bswap64(address)};
  ring((uint64_t)&request);
  return be32(*(volatile uint32_t *)&request.control);
}

static uint32_t select_key(uint16_t wanted) {
  return (uint32_t)wanted << 16 | SELECT;
}

static bool find_device(void) {
  uint64_t size;
  FdtNode node = machine.fdt ? fdt_find_compatible(machine.fdt, "qemu,fw-cfg-mmio") : FDT_NONE;

  return node != FDT_NONE && fdt_reg(machine.fdt, node, 0, &fw_cfg, &size);
}

static uint32_t next_number(unsigned bytes) {
  uint32_t value = 0;

  while (bytes-- > 0)
    value = value << 8 | next_byte();
  return value;
}

/* The directory tells the item's size and key. */
static bool find_item(void) {
  choose(FILE_DIR);
  for (uint32_t n = next_number(4); n > 0; n--) {
    uint32_t size = next_number(4), found = next_number(2);
    char name[NAME_SIZE];
    next_number(2);
    for (unsigned i = 0; i < NAME_SIZE; i++)
      name[i] = (char)next_byte();
    if (!text_equal(name, ITEM))
      continue;
    key = (uint16_t)found;
    return size == PATTERN_SIZE;
  }
  return false;
}

static bool is_pattern(const uint8_t *bytes) {
  for (unsigned i = 0; i < PATTERN_SIZE; i++)
    if (bytes[i] != (uint8_t)(7 * i))
      return false;
  return true;
}

static uint8_t guard_byte(unsigned i) {
  return (uint8_t)(i * 31 + 5);
}

static void set_guards(void) {
  for (unsigned i = 0; i < GUARD; i++)
    playground[i] = playground[PLAYGROUND_SIZE - 1 - i] = guard_byte(i);
}

static bool guards_hold(void) {
  for (unsigned i = 0; i < GUARD; i++)
    if (playground[i] != guard_byte(i) || playground[PLAYGROUND_SIZE - 1 - i] != guard_byte(i))
      return false;
  return true;
}

static bool target_is(uint8_t byte) {
  for (unsigned i = 0; i < TARGET_SIZE; i++)
    if (TARGET[i] != byte)
      return false;
  return true;
}

static bool works(void) {
  memset(TARGET, 0xff, PATTERN_SIZE + 1);
  return dma(select_key(key) | READ, PATTERN_SIZE, (uint64_t)TARGET) == 0 && is_pattern(TARGET) && TARGET[PATTERN_SIZE] == 0xff;
}

static void what_it_is_for(void) {
  choose(0);
  check(next_number(4) == 0x51454d55, "it is signed QEMU");
  if (!find_item())
    guest_fail("there is no item " ITEM " of %u bytes", PATTERN_SIZE);
  choose(key);
  for (unsigned i = 0; i < PATTERN_SIZE; i++)
    TARGET[i] = next_byte();
  check(is_pattern(TARGET) && next_byte() == 0, "the item is read byte by byte, and ends");
  check(works(), "the item is read by DMA");
  memset(TARGET, 0xff, TARGET_SIZE);
  check(dma(select_key(key) | READ, TARGET_SIZE, (uint64_t)TARGET) == 0 && is_pattern(TARGET) && TARGET[PATTERN_SIZE] == 0 &&
            TARGET[TARGET_SIZE - 1] == 0 && guards_hold(),
        "behind its end there are zeros, as many as were asked for");
  check(dma(select_key(key) | SKIP, PATTERN_SIZE - 1, 0) == 0 && next_byte() == (uint8_t)(7 * (PATTERN_SIZE - 1)), "a part is passed");
}

static void bad_targets(void) {
  const uint64_t end = machine.ram_base + machine.ram_size;
  const struct {
    const char *name;
    uint64_t address;
    uint32_t length;
  } bad[] = {
      {"address 0", 0, 16},
      {"the device itself", fw_cfg, 16},
      {"the interrupt controller", machine.gic_distributor, 4096},
      {"the byte below memory", machine.ram_base - 1, 1},
      {"across the start of memory", machine.ram_base - 8, 16},
      {"across the end of memory", end - 8, 16},
      {"the byte behind memory", end, 1},
      {"all of memory and a byte", machine.ram_base, (uint32_t)machine.ram_size + 1},
      {"4 GiB from the target on", (uint64_t)TARGET, 0xffffffff},
      {"the last address", ~0ull, 1},
      {"across the last address", ~0ull - 4, 16},
      {"an address that wraps around to memory", machine.ram_base - 0xffffffff, 0xffffffff},
      {"memory, but for the top bit", 1ull << 63 | (uint64_t)TARGET, 16},
  };

  memset(TARGET, 0xee, TARGET_SIZE);
  for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
    uint32_t answer = dma(select_key(key) | READ, bad[i].length, bad[i].address);
    check(answer == FAILED, "a target that is %s is refused (%x)", bad[i].name, answer);
  }
  check(target_is(0xee) && guards_hold(), "and nothing was written");
  check(works(), "the device works after that");
}

static void bad_requests(void) {
  const uint64_t end = machine.ram_base + machine.ram_size;
  const uint64_t bad[] = {0, fw_cfg, machine.ram_base - 8, end - 8, end, ~0ull, ~0ull - 7, 1ull << 63 | (uint64_t)&request};

  memset(TARGET, 0xee, TARGET_SIZE);
  request = (Request){be32(select_key(key) | READ), be32(16), __builtin_bswap64((uint64_t)TARGET)};
  for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++)
    ring(bad[i]);
  check(target_is(0xee) && guards_hold(), "a request that is not in memory is none");
  /* One that fills itself, and one at the last byte that there is room at. */
  check(dma(select_key(key) | READ, sizeof request, (uint64_t)&request) == 0, "a request may be its own target");
  Request *odd = (Request *)(TARGET + 1);
  Request copy = {be32(select_key(key) | READ), be32(64), __builtin_bswap64((uint64_t)TARGET + 128)};
  memcpy(odd, &copy, sizeof copy);
  ring((uint64_t)odd);
  check(TARGET[1] == 0 && TARGET[128 + 63] == (uint8_t)(7 * 63), "it may lie at an odd address");
  check(works(), "the device works after that");
}

static void writes(void) {
  memset(TARGET, 0xaa, 64);
  check(dma(select_key(key) | WRITE, 64, (uint64_t)TARGET) == FAILED, "a write to the item is refused");
  check(dma(select_key(FILE_DIR) | WRITE, 64, (uint64_t)TARGET) == FAILED, "one to the directory is, too");
  choose(key);
  mmio_write8(fw_cfg + DATA, 0xaa);
  check(works(), "the item is what it was");
}

static void all_keys(void) {
  unsigned wrong = 0;

  for (unsigned wanted = 0; wanted < 0x10000; wanted += wanted < 0x200 ? 1 : 0x3f)
    wrong += dma(select_key((uint16_t)wanted) | READ, 4096, (uint64_t)TARGET) != 0;
  check(wrong == 0 && guards_hold(), "keys of all kinds can be read, whether there is an item or not");
}

/* The other CPU: the request's target and length are good, then bad, then good ... */
static volatile uint64_t changing, changed;

static void change(uint64_t unused) {
  (void)unused;
  while (changing) {
    *(volatile uint64_t *)&request.address = __builtin_bswap64((changed & 1) ? fw_cfg : (uint64_t)TARGET);
    *(volatile uint32_t *)&request.length = be32((changed & 2) ? 0xffffffff : TARGET_SIZE);
    changed++;
  }
}

static void changed_requests(void) {
  unsigned done = 0, refused = 0;

  if (machine.n_cpus < 2) {
    check_skipped("requests that another CPU changes meanwhile", "there is one CPU");
    return;
  }
  changing = 1;
  check(cpu_start(1, change, 0) == PSCI_SUCCESS && wait_until(&changed, 1, 10), "another CPU changes requests");
  for (unsigned i = 0; i < CHANGES; i++) {
    *(volatile uint32_t *)&request.control = be32(select_key(key) | READ);
    ring((uint64_t)&request);
    uint32_t answer = be32(*(volatile uint32_t *)&request.control);
    done += answer == 0;
    refused += answer == FAILED;
  }
  changing = 0;
  check(cpu_wait_off(1), "it ends");
  print("# %u carried out, %u refused\n", done, refused);
  check(done + refused == CHANGES && guards_hold(), "each of %u requests is carried out as it was once, or refused", CHANGES);
  check(works(), "the device works after that");
}

static void random_requests(void) {
  uint64_t count = argument_number("count", 2000);
  const uint64_t end = machine.ram_base + machine.ram_size;
  unsigned wrong = 0;

  for (uint64_t i = 0; i < count; i++) {
    /* Good targets stay within the playground, as what lies elsewhere in memory is this program. */
    const uint64_t targets[] = {(uint64_t)TARGET + hostile_random(TARGET_SIZE / 2), hostile_random(0x40000000),
                                end + hostile_random(0x10000), (uint64_t)hostile_random(0xffffffff) << 32};
    unsigned kind = hostile_random(4);
    uint32_t length = hostile_random(2) ? hostile_random(TARGET_SIZE / 2) : kind ? hostile_random(0xffffffff) : 0;
    uint32_t control = hostile_random(32) | (uint32_t)(hostile_random(2) ? key : hostile_random(0x10000)) << 16;
    uint32_t answer = dma(control, length, targets[kind]);
    bool writes_there = (control & READ) && length;
    wrong += answer > FAILED || (writes_there && (answer == FAILED) != (kind > 0));
    if (hostile_random(8) == 0)
      choose((uint16_t)hostile_random(0x10000));
    if (hostile_random(8) == 0)
      mmio_write32(fw_cfg + (hostile_random(2) ? DMA : DMA_LOW), hostile_random(0x1000));
    next_byte();
  }
  check(wrong == 0, "%lu random requests are carried out where they can be, and refused otherwise (%u were not)", count, wrong);
  check(guards_hold(), "nothing was written beside their targets");
  check(works(), "the device works after that");
}

void guest_main(void) {
  if (!find_device())
    guest_skip("there is no firmware configuration device");
  hostile_begin();
  set_guards();
  what_it_is_for();
  hostile_pause("settled");
  bad_targets();
  bad_requests();
  writes();
  all_keys();
  changed_requests();
  random_requests();
  hostile_pause("done");
}
