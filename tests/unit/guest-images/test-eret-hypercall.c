/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's header, guest-images/eret-hypercall.h: what it writes into a frame of the doorbell page and reads from
 * it; and that its numbers are those of the monitor. The frame is memory here: nobody answers, so a test puts the
 * answer there first.
 */
#include "guest-images/eret-hypercall.h"

#include <glib.h>
#include <string.h>

#include "devices/hypercall-doorbell.h"
#include "vmm/hypercall/hypercall.h"

G_STATIC_ASSERT(ERET_N_REGISTERS == HYPERCALL_N_REGISTERS);
G_STATIC_ASSERT(ERET_N_REGISTERS == HYPERCALL_DOORBELL_REGISTERS);
G_STATIC_ASSERT(ERET_PAGE_FRAMES == HYPERCALL_DOORBELL_FRAMES);
G_STATIC_ASSERT(ERET_PAGE_FRAME_SIZE == HYPERCALL_DOORBELL_FRAME_SIZE);
G_STATIC_ASSERT(ERET_FN_VERSION == (uint32_t)ERET_FUNCTION_VERSION);
G_STATIC_ASSERT(ERET_FN_WRITE == (uint32_t)ERET_FUNCTION_WRITE);
G_STATIC_ASSERT(ERET_FN_MARK == (uint32_t)ERET_FUNCTION_MARK);
G_STATIC_ASSERT(ERET_FN_READY == (uint32_t)ERET_FUNCTION_READY);
G_STATIC_ASSERT(ERET_FN_EXIT == (uint32_t)ERET_FUNCTION_EXIT);
G_STATIC_ASSERT(ERET_FN_TIME == (uint32_t)ERET_FUNCTION_TIME);
G_STATIC_ASSERT(ERET_FN_NOP == (uint32_t)ERET_FUNCTION_NOP);
G_STATIC_ASSERT(ERET_SUCCESS == HYPERCALL_SUCCESS);
G_STATIC_ASSERT(ERET_NOT_SUPPORTED == HYPERCALL_NOT_SUPPORTED);
G_STATIC_ASSERT(ERET_INVALID_PARAMETER == HYPERCALL_INVALID_PARAMETER);
G_STATIC_ASSERT(ERET_TIMED_OUT == HYPERCALL_TIMED_OUT);
G_STATIC_ASSERT(ERET_NO_PEER == HYPERCALL_NO_PEER);

typedef union {
  uint64_t x[ERET_N_REGISTERS];
  uint32_t words[ERET_PAGE_FRAME_SIZE / 4];
} Frame;

static struct eret_door door_to(Frame *frame) {
  memset(frame, 0, sizeof *frame);
  return (struct eret_door){ERET_DOOR_PAGE, frame};
}

static uint32_t called(const Frame *frame) {
  return frame->words[ERET_PAGE_CALL / 4];
}

static void test_without_arguments(void) {
  Frame frame;
  struct eret_door door = door_to(&frame);

  g_assert_cmpint(eret_nop(door), ==, 0);
  g_assert_cmphex(called(&frame), ==, ERET_FN_NOP);
  g_assert_cmpint(eret_ready(door), ==, 0);
  g_assert_cmphex(called(&frame), ==, ERET_FN_READY);
  frame.x[0] = (uint64_t)ERET_NOT_SUPPORTED;
  g_assert_cmpint(eret_nop(door), ==, ERET_NOT_SUPPORTED);
  g_assert_cmpint(eret_exit(door, 3), ==, ERET_NOT_SUPPORTED);
  g_assert_cmphex(called(&frame), ==, ERET_FN_EXIT);
  g_assert_cmpuint(frame.x[1], ==, 3);
}

static void test_version(void) {
  Frame frame;
  struct eret_door door = door_to(&frame);
  uint64_t version = 1, functions = 1;

  frame.x[1] = ERET_HYPERCALL_VERSION;
  frame.x[2] = 0x7f;
  frame.x[3] = ERET_MAGIC;
  g_assert_cmpint(eret_version(door, &version, &functions), ==, 0);
  g_assert_cmphex(called(&frame), ==, ERET_FN_VERSION);
  g_assert_cmphex(version, ==, ERET_HYPERCALL_VERSION);
  g_assert_cmphex(functions, ==, 0x7f);
  g_assert_cmpint(eret_version(door, NULL, NULL), ==, 0);
  frame.x[3]++;
  g_assert_cmpint(eret_version(door, &version, &functions), ==, ERET_NOT_SUPPORTED);
  g_assert_cmphex(version, ==, 0);
  g_assert_cmphex(functions, ==, 0);
}

static void test_write(void) {
  Frame frame;
  struct eret_door door = door_to(&frame);

  frame.x[4] = 4;
  g_assert_cmpint(eret_write(door, "12345678\xff", 9), ==, 0);
  g_assert_cmphex(called(&frame), ==, ERET_FN_WRITE);
  g_assert_cmpuint(frame.x[1], ==, 9);
  g_assert_cmpmem(&frame.x[2], 9, "12345678\xff", 9);
  g_assert_cmphex(frame.x[3], ==, 0xff);
  g_assert_cmphex(frame.x[4], ==, 4); /* beyond the text */
}

/* As a machine would see it that keeps the last call alone. */
static void test_write_long(void) {
  Frame frame;
  struct eret_door door = door_to(&frame);
  char text[2 * ERET_WRITE_MAX + 44];

  for (unsigned i = 0; i < sizeof text; i++)
    text[i] = (char)i;
  g_assert_cmpint(eret_write(door, text, sizeof text), ==, 0);
  g_assert_cmpuint(frame.x[1], ==, 44);
  g_assert_cmpmem(&frame.x[2], 44, text + 2 * ERET_WRITE_MAX, 44);
  g_assert_cmpmem(&frame.x[8], ERET_WRITE_MAX - 48, text + ERET_WRITE_MAX + 48, ERET_WRITE_MAX - 48); /* left over from the one before */
  g_assert_cmpint(eret_write(door, text, 2 * ERET_WRITE_MAX), ==, 0);
  g_assert_cmpuint(frame.x[1], ==, ERET_WRITE_MAX);

  memset(&frame, 0, sizeof frame);
  g_assert_cmpint(eret_write(door, "", 0), ==, 0);
  g_assert_cmphex(called(&frame), ==, 0); /* nothing to call for */
  frame.x[0] = (uint64_t)ERET_NO_PEER;
  g_assert_cmpint(eret_write(door, text, sizeof text), ==, ERET_NO_PEER);
  g_assert_cmpuint(frame.x[1], ==, ERET_WRITE_MAX); /* and not a second one */
}

static void test_mark(void) {
  Frame frame;
  struct eret_door door = door_to(&frame);
  char name[ERET_NAME_MAX + 1];

  memset(name, 'n', sizeof name);
  g_assert_cmpint(eret_mark(door, UINT64_MAX, name, ERET_NAME_MAX), ==, 0);
  g_assert_cmphex(called(&frame), ==, ERET_FN_MARK);
  g_assert_cmphex(frame.x[1], ==, UINT64_MAX);
  g_assert_cmpuint(frame.x[2], ==, ERET_NAME_MAX);
  g_assert_cmpmem(&frame.x[3], ERET_NAME_MAX, name, ERET_NAME_MAX);
  g_assert_cmphex(frame.x[17], ==, 0);

  memset(&frame, 0, sizeof frame);
  g_assert_cmpint(eret_mark(door, 1, name, ERET_NAME_MAX + 1), ==, ERET_INVALID_PARAMETER);
  g_assert_cmphex(called(&frame), ==, 0);
  g_assert_cmpint(eret_mark(door, 1, NULL, 0), ==, 0);
  g_assert_cmpuint(frame.x[2], ==, 0);
}

static void test_time(void) {
  Frame frame;
  struct eret_door door = door_to(&frame);
  uint64_t monotonic, real;

  frame.x[1] = 0x1111111122222222;
  frame.x[2] = 0x3333333344444444;
  g_assert_cmpint(eret_time(door, &monotonic, &real), ==, 0);
  g_assert_cmphex(called(&frame), ==, ERET_FN_TIME);
  g_assert_cmphex(monotonic, ==, 0x1111111122222222);
  g_assert_cmphex(real, ==, 0x3333333344444444);
  frame.x[0] = (uint64_t)ERET_TIMED_OUT;
  g_assert_cmpint(eret_time(door, &monotonic, NULL), ==, ERET_TIMED_OUT);
  g_assert_cmphex(monotonic, ==, 0);
}

static void test_generic(void) {
  Frame frame;
  struct eret_door door = door_to(&frame);
  uint64_t x[ERET_N_REGISTERS];

  for (unsigned i = 0; i < ERET_N_REGISTERS; i++)
    x[i] = i + 1;
  frame.x[0] = 42;
  g_assert_cmpint(eret_call(door, 0xc2000000, x, 17, 1), ==, 42);
  g_assert_cmphex(called(&frame), ==, 0xc2000000);
  g_assert_cmpuint(x[0], ==, 42);
  for (unsigned i = 1; i < ERET_N_REGISTERS; i++)
    g_assert_cmpuint(frame.x[i], ==, i + 1);

  frame.x[17] = 99;
  g_assert_cmpint(eret_call(door, 0xc2000000, x, 2, 18), ==, 42);
  g_assert_cmpuint(x[17], ==, 99);
  g_assert_cmpint(eret_call(door, 0xc2000001, x, 18, 1), ==, ERET_INVALID_PARAMETER);
  g_assert_cmpint(eret_call(door, 0xc2000001, x, 0, 19), ==, ERET_INVALID_PARAMETER);
  g_assert_cmphex(called(&frame), ==, 0xc2000000);
}

/* The instructions compile away where they do not exist. Where they do, a program must not execute them. */
static void test_no_instructions(void) {
#ifdef __aarch64__
  g_test_skip("HVC is an undefined instruction to a program");
#else
  struct eret_door hvc = {ERET_DOOR_HVC, NULL}, smc = {ERET_DOOR_SMC, NULL};
  uint64_t x[ERET_N_REGISTERS] = {0};

  g_assert_cmpint(eret_version(hvc, NULL, NULL), ==, ERET_NOT_SUPPORTED);
  g_assert_cmpint(eret_nop(smc), ==, ERET_NOT_SUPPORTED);
  g_assert_cmpint(eret_call(smc, ERET_FN_NOP, x, 17, 18), ==, ERET_NOT_SUPPORTED);
#endif
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/eret-hypercall/without-arguments", test_without_arguments);
  g_test_add_func("/eret-hypercall/version", test_version);
  g_test_add_func("/eret-hypercall/write", test_write);
  g_test_add_func("/eret-hypercall/write-long", test_write_long);
  g_test_add_func("/eret-hypercall/mark", test_mark);
  g_test_add_func("/eret-hypercall/time", test_time);
  g_test_add_func("/eret-hypercall/generic", test_generic);
  g_test_add_func("/eret-hypercall/no-instructions", test_no_instructions);
  return g_test_run();
}
