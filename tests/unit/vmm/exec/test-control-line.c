/* SPDX-License-Identifier: Apache-2.0 */
/* What is a line of the control port, and what is not: vmm/exec/control-line.c. */
#include "vmm/exec/control-line.h"

#include <glib.h>

static void test_grammar(void) {
  static const struct {
    const char *line;
    ControlKind kind;
    unsigned number;
    const char *text;
  } cases[] = {
      {"hello 1", CONTROL_HELLO, 1, NULL},
      {"hello 65535", CONTROL_HELLO, 65535, NULL},
      {"warning network card 1: no answer", CONTROL_WARNING, 0, "network card 1: no answer"},
      {"missing virtio_blk: there is no /dev/vda", CONTROL_MISSING, 0, "virtio_blk: there is no /dev/vda"},
      {"started 4194304", CONTROL_STARTED, 4194304, NULL},
      {"failed 2 foo: No such file or directory", CONTROL_FAILED, 2, "foo: No such file or directory"},
      {"failed 4095  two spaces", CONTROL_FAILED, 4095, " two spaces"},
      {"exit 0", CONTROL_EXIT, 0, NULL},
      {"exit 255", CONTROL_EXIT, 255, NULL},
      {"signal 1", CONTROL_SIGNAL, 1, NULL},
      {"signal 127", CONTROL_SIGNAL, 127, NULL},
      {"signal 9 oom", CONTROL_SIGNAL_OOM, 9, NULL},
      {"files failed 0/a: too large", CONTROL_FILES_FAILED, 0, "0/a: too large"},
      {"files END", CONTROL_FILES_END, 0, NULL},
      {"done", CONTROL_DONE, 0, NULL},
      {"pong", CONTROL_PONG, 0, NULL},
      {"taint 0", CONTROL_TAINT, 0, NULL},
      {"taint 4736", CONTROL_TAINT, 4736, NULL},
      {"taint 4294967295", CONTROL_TAINT, 4294967295, NULL},
  };

  for (unsigned i = 0; i < G_N_ELEMENTS(cases); i++) {
    ControlLine line = control_line_parse(cases[i].line);
    g_assert_cmpint(line.kind, ==, cases[i].kind);
    g_assert_cmpuint(line.number, ==, cases[i].number);
    g_assert_cmpstr(line.text, ==, cases[i].text);
  }
}

static void test_strange(void) {
  static const char *const lines[] = {"",
                                      " ",
                                      "hello",
                                      "hello ",
                                      "hello 0",
                                      "hello 65536",
                                      "hello 1 ",
                                      "hello 1 2",
                                      "hello 01",
                                      "hello +1",
                                      "hello -1",
                                      "hello 0x1",
                                      "hello\t1",
                                      "HELLO 1",
                                      " hello 1",
                                      "warning",
                                      "warning ",
                                      "missing",
                                      "missing ",
                                      "started 0",
                                      "started",
                                      "started 4194305",
                                      "failed",
                                      "failed 2",
                                      "failed 2 ",
                                      "failed x y",
                                      "failed 0 x",
                                      "failed 4096 x",
                                      "exit",
                                      "exit ",
                                      "exit 256",
                                      "exit -1",
                                      "exit 00",
                                      "exit 1\n",
                                      "exit 1 1",
                                      "exit 1.0",
                                      "exit 1e1",
                                      "exit  1",
                                      "exit1",
                                      "exits 1",
                                      "signal 0",
                                      "signal 128",
                                      "signal 9 ",
                                      "signal 9  oom",
                                      "signal 9 oom ",
                                      "signal 9 OOM",
                                      "files",
                                      "files failed",
                                      "files failed ",
                                      "files end",
                                      "files END ",
                                      "done.",
                                      "done ",
                                      "Done",
                                      "exit 99999999999999999999",
                                      "exit 4294967296",
                                      "exit 18446744073709551616",
                                      "taint",
                                      "taint ",
                                      "taint 4294967296",
                                      "taint 9999999999",
                                      "taint 18446744073709551744",
                                      "taint -1",
                                      "taint 0x80",
                                      "taint 0128",
                                      "taint 128 ",
                                      "taint 128 D",
                                      "poweroff",
                                      "ping"};

  for (unsigned i = 0; i < G_N_ELEMENTS(lines); i++) {
    g_test_message("'%s'", lines[i]);
    ControlLine line = control_line_parse(lines[i]);
    g_assert_cmpint(line.kind, ==, CONTROL_NONE);
    g_assert_true(line.text == lines[i]);
  }
}

/* Every line with a byte changed is another line of the protocol or none; nothing is read beyond its end. */
static void test_noise(void) {
  static const char *const lines[] = {"hello 1", "exit 7", "signal 9 oom", "failed 2 x", "files END", "done"};

  for (unsigned i = 0; i < G_N_ELEMENTS(lines); i++)
    for (unsigned place = 0; lines[i][place]; place++)
      for (unsigned byte = 0; byte < 256; byte++) {
        g_autofree char *line = g_strdup(lines[i]);
        line[place] = (char)byte;
        ControlLine parsed = control_line_parse(line);
        g_assert_cmpuint(parsed.number, <=, 4194304);
        g_assert_true(!parsed.text || *parsed.text || parsed.kind == CONTROL_NONE);
      }
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/control-line/grammar", test_grammar);
  g_test_add_func("/control-line/strange", test_strange);
  g_test_add_func("/control-line/noise", test_noise);
  return g_test_run();
}
