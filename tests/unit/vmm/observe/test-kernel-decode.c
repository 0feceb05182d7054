/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the kernel's raw trace data to records: vmm/observe/kernel-decode.c. The formats are what a kernel's tracefs
 * shows (events/kvm/NAME/format), with other offsets than any kernel has, so that nothing but the format can have told
 * them.
 */
#include <string.h>

#include <glib.h>

#include "vmm/arm/sysreg.h"
#include "vmm/observe/kernel-decode.h"

static const char *const formats[] = {
    "name: kvm_exit\nID: 301\nformat:\n"
    "\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n"
    "\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;\n"
    "\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;\n"
    "\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n"
    "\tfield:unsigned long vcpu_pc;\toffset:16;\tsize:8;\tsigned:0;\n"
    "\tfield:unsigned int esr_ec;\toffset:8;\tsize:4;\tsigned:0;\n"
    "\tfield:int ret;\toffset:12;\tsize:4;\tsigned:1;\n\nprint fmt: \"x\"\n",
    "name: kvm_userspace_exit\nID: 302\nformat:\n"
    "\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n"
    "\tfield:__u32 reason;\toffset:8;\tsize:4;\tsigned:0;\n"
    "\tfield:int errno;\toffset:12;\tsize:4;\tsigned:1;\n\nprint fmt: \"x\"\n",
    "name: kvm_mmio\nID: 303\nformat:\n"
    "\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n"
    "\tfield:u32 type;\toffset:8;\tsize:4;\tsigned:0;\n"
    "\tfield:u32 len;\toffset:12;\tsize:4;\tsigned:0;\n"
    "\tfield:u64 gpa;\toffset:16;\tsize:8;\tsigned:0;\n"
    "\tfield:u64 val;\toffset:24;\tsize:8;\tsigned:0;\n\nprint fmt: \"x\"\n",
    "name: kvm_sys_access\nID: 304\nformat:\n"
    "\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n"
    "\tfield:unsigned long vcpu_pc;\toffset:8;\tsize:8;\tsigned:0;\n"
    "\tfield:bool is_write;\toffset:16;\tsize:1;\tsigned:0;\n"
    "\tfield:u8 Op0;\toffset:17;\tsize:1;\tsigned:0;\n"
    "\tfield:u8 Op1;\toffset:18;\tsize:1;\tsigned:0;\n"
    "\tfield:u8 CRn;\toffset:19;\tsize:1;\tsigned:0;\n"
    "\tfield:u8 CRm;\toffset:20;\tsize:1;\tsigned:0;\n"
    "\tfield:u8 Op2;\toffset:21;\tsize:1;\tsigned:0;\n\nprint fmt: \"x\"\n",
    "name: kvm_hvc_arm64\nID: 305\nformat:\n"
    "\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n"
    "\tfield:unsigned long vcpu_pc;\toffset:8;\tsize:8;\tsigned:0;\n"
    "\tfield:unsigned long r0;\toffset:16;\tsize:8;\tsigned:0;\n\nprint fmt: \"x\"\n", /* imm is missing, as in a kernel that dropped it */
};

typedef struct {
  struct tep_handle *tep;
  KernelDecoder *decoder;
  uint8_t data[64];
} Fixture;

static void set_up(Fixture *fixture, gconstpointer data) {
  fixture->tep = tep_alloc();
  for (unsigned i = 0; i < G_N_ELEMENTS(formats); i++)
    g_assert_cmpint(tep_parse_event(fixture->tep, formats[i], strlen(formats[i]), "kvm"), ==, 0);
  fixture->decoder = kernel_decoder_new(fixture->tep);
}

static void tear_down(Fixture *fixture, gconstpointer data) {
  kernel_decoder_free(fixture->decoder);
  tep_free(fixture->tep);
}

static void put(Fixture *fixture, unsigned offset, uint64_t value, unsigned size) {
  memcpy(fixture->data + offset, &value, size);
}

static bool decode(Fixture *fixture, int id, unsigned size, TraceRecord *record) {
  struct tep_record raw = {.ts = 12345, .data = fixture->data, .size = (int)size};
  return kernel_decode(fixture->decoder, id, &raw, record);
}

static void test_exit(Fixture *fixture, gconstpointer data) {
  TraceRecord record;

  put(fixture, 16, UINT64_C(0xffff800080012344), 8);
  put(fixture, 8, 0x16, 4);
  put(fixture, 12, 2, 4);
  g_assert_true(decode(fixture, 301, 24, &record));
  g_assert_cmpuint(record.kind, ==, TRACE_KVM_EXIT);
  g_assert_cmpuint(record.time, ==, 12345);
  g_assert_cmpuint(record.vcpu, ==, TRACE_NO_VCPU);
  g_assert_cmphex(record.a, ==, UINT64_C(0xffff800080012344));
  g_assert_cmpuint(record.b, ==, 2);
  g_assert_cmphex(record.c, ==, 0x16);
}

static void test_userspace_exit(Fixture *fixture, gconstpointer data) {
  TraceRecord record;

  put(fixture, 8, 10, 4);
  put(fixture, 12, (uint32_t)-4, 4);
  g_assert_true(decode(fixture, 302, 16, &record));
  g_assert_cmpuint(record.a, ==, 10);
  g_assert_cmpuint(record.b, ==, 4); /* EINTR, positive */
}

static void test_mmio(Fixture *fixture, gconstpointer data) {
  static const TraceMmio wanted[] = {TRACE_MMIO_READ_UNSATISFIED, TRACE_MMIO_READ, TRACE_MMIO_WRITE};
  TraceRecord record;

  for (unsigned type = 0; type < G_N_ELEMENTS(wanted); type++) {
    put(fixture, 8, type, 4);
    put(fixture, 12, 4, 4);
    put(fixture, 16, 0x9000018, 8);
    put(fixture, 24, 0x90, 8);
    g_assert_true(decode(fixture, 303, 32, &record));
    g_assert_cmphex(record.a, ==, 0x9000018);
    g_assert_cmphex(record.b, ==, 0x90);
    g_assert_cmpuint(record.c, ==, 4);
    g_assert_cmpuint(record.d, ==, wanted[type]);
  }
}

static void test_sys_access(Fixture *fixture, gconstpointer data) {
  TraceRecord record;

  put(fixture, 8, 0x40080000, 8);
  put(fixture, 16, 1, 1);
  put(fixture, 17, 3, 1);
  put(fixture, 18, 0, 1);
  put(fixture, 19, 12, 1);
  put(fixture, 20, 11, 1);
  put(fixture, 21, 5, 1);
  g_assert_true(decode(fixture, 304, 24, &record));
  g_assert_cmphex(record.b, ==, SYSREG(3, 0, 12, 11, 5));
  g_assert_cmpuint(record.c, ==, 1);
}

/*
 * A field that this kernel does not have is 0; an event that is not ours is none; data that is too short is not read
 * beyond its end.
 */
static void test_odd(Fixture *fixture, gconstpointer data) {
  TraceRecord record;

  put(fixture, 8, 0x40080000, 8);
  put(fixture, 16, 0x84000000, 8);
  g_assert_true(decode(fixture, 305, 24, &record));
  g_assert_cmphex(record.b, ==, 0x84000000);
  g_assert_cmpuint(record.c, ==, 0);
  g_assert_false(decode(fixture, 999, 24, &record));
  g_assert_true(decode(fixture, 305, 12, &record));
  g_assert_cmpuint(record.a, ==, 0);
  g_assert_cmpuint(record.b, ==, 0);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
#define ADD(path, function) g_test_add("/kernel-decode/" path, Fixture, NULL, set_up, function, tear_down)
  ADD("exit", test_exit);
  ADD("userspace-exit", test_userspace_exit);
  ADD("mmio", test_mmio);
  ADD("sys-access", test_sys_access);
  ADD("odd", test_odd);
  return g_test_run();
}
