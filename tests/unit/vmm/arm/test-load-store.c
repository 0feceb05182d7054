/* SPDX-License-Identifier: Apache-2.0 */
/* AArch64's loads and stores, decoded: vmm/arm/load-store.c. The encodings are an assembler's. */
#include "vmm/arm/load-store.h"

#include <glib.h>
#include <locale.h>

typedef struct {
  uint32_t word;
  const char *text, *summary;
} Sample;

static const Sample samples[] = {
    {0x29400c22, "ldp w2, w3, [x1]", "load 4 x2 x3 [x1]"},
    {0xa9bf7be2, "stp x2, x30, [sp, #-16]!", "store 8 x2 x30 [x31 -16]!"},
    {0xacdffca1, "ldp q1, q31, [x5], #1008", "load 16 v1 v31 [x5] +1008"},
    {0x697f8c22, "ldpsw x2, x3, [x1, #-4]", "load 4 signed x2 x3 [x1 -4]"},
    {0x6c410c22, "ldnp d2, d3, [x1, #16]", "load 8 v2 v3 [x1 +16]"},
    {0xa8200c22, "stnp x2, x3, [x1, #-512]", "store 8 x2 x3 [x1 -512]"},
    {0xf8408420, "ldr x0, [x1], #8", "load 8 x0 [x1] +8"},
    {0xb8100c20, "str w0, [x1, #-256]!", "store 4 x0 [x1 -256]!"},
    {0x38c01422, "ldrsb w2, [x1], #1", "load 1 signed32 x2 [x1] +1"},
    {0x78802c22, "ldrsh x2, [x1, #2]!", "load 2 signed x2 [x1 +2]!"},
    {0xb8804c22, "ldrsw x2, [x1, #4]!", "load 4 signed x2 [x1 +4]!"},
    {0x397ffc22, "ldrb w2, [x1, #4095]", "load 1 x2 [x1 +4095]"},
    {0xf97ffc22, "ldr x2, [x1, #32760]", "load 8 x2 [x1 +32760]"},
    {0x3dbffc22, "str q2, [x1, #65520]", "store 16 v2 [x1 +65520]"},
    {0x3cdf0022, "ldur q2, [x1, #-16]", "load 16 v2 [x1 -16]"},
    {0x3c0ff022, "stur b2, [x1, #255]", "store 1 v2 [x1 +255]"},
    {0x7d400422, "ldr h2, [x1, #2]", "load 2 v2 [x1 +2]"},
    {0xf863d822, "ldr x2, [x1, w3, sxtw #3]", "load 8 x2 [x1 + x3 extend 6 << 3]"},
    {0xb8236822, "str w2, [x1, x3]", "store 4 x2 [x1 + x3 extend 3 << 0]"},
    {0x38a34822, "ldrsb x2, [x1, w3, uxtw]", "load 1 signed x2 [x1 + x3 extend 2 << 0]"},
    {0x3ce37822, "ldr q2, [x1, x3, lsl #4]", "load 16 v2 [x1 + x3 extend 3 << 4]"},
    {0xf8408822, "ldtr x2, [x1, #8]", "load 8 x2 unprivileged [x1 +8]"},
    {0x38000822, "sttrb w2, [x1]", "store 1 x2 unprivileged [x1]"},
    {0x587fffe2, "ldr x2, . + 0xffffc", "load 8 x2 [pc +1048572]"},
    {0x98ffffe2, "ldrsw x2, . - 4", "load 4 signed x2 [pc -4]"},
    {0x9c000082, "ldr q2, . + 16", "load 16 v2 [pc +16]"},
    {0xf9800020, "prfm pldl1keep, [x1]", "nothing 8 signed x0 [x1]"},
    {0x885f7c22, "ldxr w2, [x1]", "load-exclusive 4 x2 [x1]"},
    {0xc8067c22, "stxr w6, x2, [x1]", "store-exclusive 8 x2 with x6 [x1]"},
    {0x085ffc22, "ldaxrb w2, [x1]", "load-exclusive 1 x2 [x1]"},
    {0x4806fc22, "stlxrh w6, w2, [x1]", "store-exclusive 2 x2 with x6 [x1]"},
    {0x887f0c22, "ldxp w2, w3, [x1]", "load-exclusive 4 x2 x3 [x1]"},
    {0xc8268fe2, "stlxp w6, x2, x3, [sp]", "store-exclusive 8 x2 x3 with x6 [x31]"},
    {0xc8dffc22, "ldar x2, [x1]", "load 8 x2 [x1]"},
    {0x089ffc22, "stlrb w2, [x1]", "store 1 x2 [x1]"},
    {0xb8220023, "ldadd w2, w3, [x1]", "add 4 x3 with x2 [x1]"},
    {0x38e21023, "ldclralb w2, w3, [x1]", "clr 1 x3 with x2 [x1]"},
    {0x78224023, "ldsmaxh w2, w3, [x1]", "smax 2 x3 with x2 [x1]"},
    {0xf8627023, "lduminl x2, x3, [x1]", "umin 8 x3 with x2 [x1]"},
    {0xf822003f, "stadd x2, [x1]", "add 8 x31 with x2 [x1]"},
    {0xf8e28023, "swpal x2, x3, [x1]", "swp 8 x3 with x2 [x1]"},
    {0x88a27c23, "cas w2, w3, [x1]", "cas 4 x3 with x2 [x1]"},
    {0x08e2fc23, "casalb w2, w3, [x1]", "cas 1 x3 with x2 [x1]"},
    {0x48227c24, "casp x2, x3, x4, x5, [x1]", "cas 8 x4 x5 with x2 [x1]"},
    {0x0862fc24, "caspal w2, w3, w4, w5, [x1]", "cas 4 x4 x5 with x2 [x1]"},
    {0xf8bfc022, "ldapr x2, [x1]", "load 8 x2 [x1]"},
    {0x995f8022, "ldapur w2, [x1, #-8]", "load 4 x2 [x1 -8]"},
    {0x59900022, "ldapursh x2, [x1, #-256]", "load 2 signed x2 [x1 -256]"},
    {0x190ff022, "stlurb w2, [x1, #255]", "store 1 x2 [x1 +255]"},
    {0x4c407020, "ld1 {v0.16b}, [x1]", "load 1 v0 of 16, 1 by 1 [x1]"},
    {0x0cdf203e, "ld1 {v30.8b, v31.8b, v0.8b, v1.8b}, [x1], #32", "load 1 v30 v31 v0 v1 of 8, 4 by 1 [x1] +32"},
    {0x0c008420, "st2 {v0.4h, v1.4h}, [x1]", "store 2 v0 v1 of 8, 1 by 2 [x1]"},
    {0x4cc34c20, "ld3 {v0.2d, v1.2d, v2.2d}, [x1], x3", "load 8 v0 v1 v2 of 16, 1 by 3 [x1] + x3 extend 3 << 0"},
    {0x4c9f03e0, "st4 {v0.16b, v1.16b, v2.16b, v3.16b}, [sp], #64", "store 1 v0 v1 v2 v3 of 16, 1 by 4 [x31] +64"},
    {0x4d401420, "ld1 {v0.b}[13], [x1]", "load 1 v0 lane 13 of 16, 1 by 1 [x1]"},
    {0x4d9f5020, "st1 {v0.h}[6], [x1], #2", "store 2 v0 lane 6 of 16, 1 by 1 [x1] +2"},
    {0x4dc79020, "ld1 {v0.s}[3], [x1], x7", "load 4 v0 lane 3 of 16, 1 by 1 [x1] + x7 extend 3 << 0"},
    {0x4d008420, "st1 {v0.d}[1], [x1]", "store 8 v0 lane 1 of 16, 1 by 1 [x1]"},
    {0x0d608420, "ld2 {v0.d, v1.d}[0], [x1]", "load 8 v0 v1 lane 0 of 16, 1 by 2 [x1]"},
    {0x0d9fb020, "st3 {v0.s, v1.s, v2.s}[1], [x1], #12", "store 4 v0 v1 v2 lane 1 of 16, 1 by 3 [x1] +12"},
    {0x4d607820, "ld4 {v0.h, v1.h, v2.h, v3.h}[7], [x1]", "load 2 v0 v1 v2 v3 lane 7 of 16, 1 by 4 [x1]"},
    {0x0d40c020, "ld1r {v0.8b}, [x1]", "load 1 v0 replicate of 8, 1 by 1 [x1]"},
    {0x4dffcc20, "ld2r {v0.2d, v1.2d}, [x1], #16", "load 8 v0 v1 replicate of 16, 1 by 2 [x1] +16"},
    {0x4de7e820, "ld4r {v0.4s, v1.4s, v2.4s, v3.4s}, [x1], x7", "load 4 v0 v1 v2 v3 replicate of 16, 1 by 4 [x1] + x7 extend 3 << 0"},
    {0xd50b7423, "dc zva, x3", "zero 0 [x3]"},
};

/* What is none of them, or is left to others. */
static const Sample others[] = {
    {0xd503201f, "nop", NULL},
    {0x91000420, "add x0, x1, #1", NULL},
    {0xd65f03c0, "ret", NULL},
    {0xf8200c20, "ldraa x0, [x1, #0]!", NULL},
    {0xd9200820, "stg x0, [x1]", NULL},
    {0x69000c22, "stgp x2, x3, [x1]", NULL},
    {0xf83fd022, "ld64b x2, [x1]", NULL},
    {0xa400a020, "ld1b {z0.b}, p0/z, [x1]", NULL},
    {0x0c401020, "ld1 with a reserved opcode", NULL},
    {0x0c408c20, "ld2 {v0.1d, v1.1d}, [x1]", NULL},
    {0x4d404420, "ld1 h with an odd size field, reserved", NULL},
    {0xec400c22, "ldp of a reserved size", NULL},
    {0xf8c00022, "ldursb of 64 bits, reserved", NULL},
    {0x48237c24, "casp with an odd register", NULL},
    {0xd50b7e23, "dc civac, x3", NULL},
    {0x00000000, "udf", NULL},
};

/* Any form in a line. */
static char *summarize(const A64Access *access) {
  static const char *const kinds[] = {"nothing", "load", "store", "load-exclusive", "store-exclusive", "atomic", "cas", "zero"};
  static const char *const atomics[] = {"add", "clr", "eor", "set", "smax", "smin", "umax", "umin", "swp"};
  GString *text = g_string_new(access->kind == A64_ATOMIC ? atomics[access->atomic] : kinds[access->kind]);

  g_string_append_printf(text, " %u", access->size);
  if (access->is_signed)
    g_string_append_printf(text, " signed%s", access->to_32_bits ? "32" : "");
  for (unsigned i = 0; i < access->n_registers; i++)
    g_string_append_printf(text, " %c%u", access->vector ? 'v' : 'x', access->registers[i]);
  if (access->kind >= A64_STORE_EXCLUSIVE && access->kind <= A64_COMPARE_AND_SWAP)
    g_string_append_printf(text, " with x%u", access->status);
  if (access->structure && access->single && !access->replicate)
    g_string_append_printf(text, " lane %u", access->lane);
  if (access->replicate)
    g_string_append(text, " replicate");
  if (access->structure)
    g_string_append_printf(text, " of %u, %u by %u", access->width, access->repeats, access->selected);
  if (access->unprivileged)
    g_string_append(text, " unprivileged");
  if (access->base == A64_LITERAL)
    g_string_append(text, " [pc");
  else
    g_string_append_printf(text, " [x%u", access->base);
  if (access->index == A64_POST_INDEX)
    g_string_append_c(text, ']');
  if (access->register_offset)
    g_string_append_printf(text, " + x%u extend %u << %u", access->offset_register, access->extend, access->shift);
  else if (access->offset || access->index)
    g_string_append_printf(text, " %+" G_GINT64_FORMAT, access->offset);
  g_string_append(text, access->index == A64_OFFSET ? "]" : access->index == A64_PRE_INDEX ? "]!" : "");
  return g_string_free(text, FALSE);
}

static void test_sample(gconstpointer data) {
  const Sample *sample = data;
  A64Access access;

  g_assert_true(a64_decode(sample->word, &access));
  g_autofree char *summary = summarize(&access);
  g_assert_cmpstr(summary, ==, sample->summary);
}

static void test_other(gconstpointer data) {
  const Sample *sample = data;
  A64Access access;

  g_assert_false(a64_decode(sample->word, &access));
}

/* Whatever a guest may write, what comes of it is within bounds. */
static void test_any(void) {
  A64Access access;

  for (unsigned i = 0; i < 4000000; i++) {
    uint32_t word = (g_test_rand_int() & ~0x3a000000u) | (i & 1 ? 0x08000000 : 0x38000000);
    if (!a64_decode(word, &access))
      continue;
    g_assert_cmpuint(access.n_registers, <=, A64_REGISTERS_MAX);
    g_assert_true(access.kind == A64_ZERO || access.size == 1 || access.size == 2 || access.size == 4 || access.size == 8 ||
                  access.size == 16);
    g_assert_cmpuint(access.base, <=, A64_LITERAL);
    for (unsigned n = 0; n < access.n_registers; n++)
      g_assert_cmpuint(access.registers[n], <, 33);
    if (access.structure)
      g_assert_cmpuint((access.lane + 1) * access.size, <=, 16);
  }
}

int main(int argc, char *argv[]) {
  setlocale(LC_ALL, "C.UTF-8");
  g_test_init(&argc, &argv, NULL);
  for (unsigned i = 0; i < G_N_ELEMENTS(samples); i++) {
    g_autofree char *path = g_strdup_printf("/load-store/%08x %s", samples[i].word, samples[i].text);
    g_test_add_data_func(path, &samples[i], test_sample);
  }
  for (unsigned i = 0; i < G_N_ELEMENTS(others); i++) {
    g_autofree char *path = g_strdup_printf("/load-store/not/%08x %s", others[i].word, others[i].text);
    g_strdelimit(path + 16, "/", '_');
    g_test_add_data_func(path, &others[i], test_other);
  }
  g_test_add_func("/load-store/any", test_any);
  return g_test_run();
}
