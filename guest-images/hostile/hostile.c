/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A first process for guests of `eret exec` that lies to its host: it finds the ports as the real one does
 * (guest-images/init/), and then speaks the protocol (docs/exec-protocol.md) falsely, in the way that the command's
 * first word names. For tests: tests/boot/hostile-init.sh starts it with rdinit=, and says what must not come of it.
 *
 * What it sends is harmless where it is believed to be: it names files that a host would miss, and none that it has.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../init/init.h"

#define HUNDREDS 300

static Ports ports;

static void say(const char *line) {
  write_all(control_fd, line, strlen(line));
}

static void wait_for_power_off(void) {
  char line[64];

  while (control_read(line, sizeof line, true) && strcmp(line, "poweroff") != 0)
    ;
  power_off();
}

/* An end as it should be. */
static void end_well(void) {
  close(ports.out);
  close(ports.err);
  close(ports.files);
  say("done\n");
  wait_for_power_off();
}

static void stay(void) {
  for (;;)
    pause();
}

static void send_for_ever(int fd, int byte) {
  static char bytes[32768];

  memset(bytes, byte, sizeof bytes);
  while (write_all(fd, bytes, sizeof bytes))
    ;
  stay();
}

/* Archives. */

static void put_padded(const void *bytes, size_t size) {
  write_all(ports.files, bytes, size);
  write_all(ports.files, "\0\0\0", -size & 3);
}

static void put_entry(const char *name, unsigned name_size, unsigned mode, unsigned links, unsigned size, const char *contents) {
  char header[8300];
  int length = snprintf(header, sizeof header, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s", 1u, mode, 0u, 0u, links, 0u,
                        size, 0u, 0u, 0u, 0u, name_size, 0u, name);

  put_padded(header, (size_t)length + 1);
  put_padded(contents, strlen(contents));
}

static void put(const char *name, unsigned mode, const char *contents) {
  put_entry(name, (unsigned)strlen(name) + 1, mode, 1, (unsigned)strlen(contents), contents);
}

static void begin(void) {
  say("hello 1\nstarted 1\nexit 0\n");
}

static void end_archive(void) {
  put("TRAILER!!!", 0, "");
  say("files END\n");
  end_well();
}

/* Asked for: "0" and "1" as directories, "2" as a file. */
static void escape(void) {
  static const struct {
    const char *name;
    unsigned type;
    const char *contents;
  } entries[] = {
      {"0", S_IFLNK, "outside"},
      {"0/by-top-link", S_IFREG, "x"},
      {"1", S_IFDIR, ""},
      {"1/d", S_IFDIR, ""},
      {"1/d/up", S_IFLNK, ".."},
      {"1/composed", S_IFLNK, "d/up/../outside"},
      {"1/composed/x", S_IFREG, "x"},
      {"1/absolute", S_IFLNK, "/"},
      {"1/absolute/by-link", S_IFREG, "x"},
      {"1/d/up/by-up", S_IFREG, "x"},
      {"../by-name", S_IFREG, "x"},
      {"/by-root", S_IFREG, "x"},
      {"1/../by-dots", S_IFREG, "x"},
      {"1/./by-dot", S_IFREG, "x"},
      {"1//by-slash", S_IFREG, "x"},
      {"3", S_IFREG, "not asked for"},
      {"99999999999", S_IFREG, "x"},
      {"1/pipe", S_IFIFO, ""},
      {"1/device", S_IFCHR, ""},
      {"1/set-id", S_IFREG | 06000, ""},
      {"2", S_IFREG, "good"},
      {"2/below", S_IFREG, "x"},
      {"2", S_IFLNK, "outside"},
      {"1/good", S_IFREG, "good"},
  };

  begin();
  for (unsigned i = 0; i < sizeof entries / sizeof *entries; i++)
    put(entries[i].name, entries[i].type | 0777, entries[i].contents);
  for (unsigned i = 0; i < HUNDREDS; i++) {
    char text[64];
    snprintf(text, sizeof text, "bad\033[2J%u", i);
    put(text, S_IFREG, "");
    snprintf(text, sizeof text, "1/link%u", i);
    put(text, S_IFLNK, "/\033[2J");
    snprintf(text, sizeof text, "files failed \033[2J%u\n", i);
    say(text);
  }
  end_archive();
}

static void long_name(void) {
  static char name[8192];

  memset(name, 'n', sizeof name - 1);
  memcpy(name, "0/", 2);
  begin();
  put("0", S_IFDIR | 0777, "");
  put("0/good", S_IFREG | 0777, "good");
  put(name, S_IFREG | 0777, "x");
  put("0/behind", S_IFREG | 0777, "x");
  end_archive();
}

/* One that says that it has 4 GiB, and a link to itself. */
static void huge_file(void) {
  begin();
  put("0", S_IFDIR | 0777, "");
  put_entry("0/linked", 9, S_IFREG | 0777, 2, 0, "");
  put_entry("0/huge", 7, S_IFREG | 0777, 1, 0xffffffff, "x");
  end_archive();
}

static void endless_files(void) {
  begin();
  put("0", S_IFDIR | 0777, "");
  put("0/good", S_IFREG | 0777, "good");
  send_for_ever(ports.files, '0');
}

/* Streams. */

static void endless_output(void) {
  say("hello 1\nstarted 1\n");
  if (fork() == 0)
    send_for_ever(ports.err, 'e');
  send_for_ever(ports.out, 'o');
}

/* Results (KTAP) as no test writes them: numbers, depth and a line without measure, and what terminals act on. */
static void false_results(void) {
  static const char head[] = "KTAP version 1\n1..99999999999999999999\nok 18446744073709551616 - \033[2J\302\233 ]]> ::error::\nok -1\n";
  static char line[32768];

  say("hello 1\nstarted 1\n");
  write_all(ports.out, head, sizeof head - 1);
  memset(line, ' ', sizeof line);
  for (unsigned depth = 1; depth <= HUNDREDS; depth++) {
    write_all(ports.out, line, 4 * depth);
    write_all(ports.out, "KTAP version 1\n", strlen("KTAP version 1\n"));
  }
  memset(line, 'x', sizeof line);
  write_all(ports.out, "not ok 1 - ", strlen("not ok 1 - "));
  write_all(ports.out, line, sizeof line); /* no line feed ends it */
  say("exit 0\n");
  end_well();
}

/* It sends what is no line, and never reads: not its input, nor what the host has to say. */
static void endless_control(void) {
  say("hello 1\nstarted 1\n");
  send_for_ever(control_fd, 'c');
}

static void endless_lines(void) {
  static char lines[32768];

  say("hello 1\nstarted 1\n");
  for (size_t i = 0; i < sizeof lines; i++)
    lines[i] = "started 1\n"[i % 10];
  for (;;)
    write_all(control_fd, lines, sizeof lines / 10 * 10);
}

/* Words of the protocol. */

static void silly_words(void) {
  say("hello 4294967297\nhello 99999999999999999999\nhello 1\nhello 1\nhello\nstarted -1\nstarted 99999999999999999999\nstarted 1\nstarted "
      "2\n");
  say("exit\nexit -1\nexit 256\nexit 4294967297\nexit 99999999999999999999\nexit 1x\nexit  1\nsignal 0\nsignal 128\nsignal -9\n");
  say("signal 99999999999999999999\nfailed\nfailed 99999999999999999999 x\nexit 3\nexit 4\nsignal 9\nfailed 2 x\nmissing x\n");
  say("taint 128\ntaint 4294967296\ntaint 99999999999999999999\ntaint -1\ntaint\ntaint 0x80\n");
  end_well();
}

static void other_version(void) {
  say("hello 2\n");
  stay();
}

static void strange_text(void) {
  say("hello 1\nmissing \033[2J\302\233not a colour\n");
  end_well();
}

static void warnings(void) {
  static char text[512];

  memset(text, 'w', sizeof text - 1);
  say("hello 1\n");
  for (unsigned i = 0; i < HUNDREDS; i++) {
    say("warning \033[2J\302\233");
    say(text);
    say("\n");
  }
  say("started 1\nwarning too late\nexit 9\n");
  end_well();
}

static void exit_and_stay(void) {
  say("hello 1\nstarted 1\nexit 5\n");
  stay();
}

static void done_and_stay(void) {
  say("hello 1\nstarted 1\nexit 6\n");
  close(ports.out);
  close(ports.err);
  close(ports.files);
  say("done\n");
  stay();
}

static void done_with_open_ports(void) {
  say("hello 1\nstarted 1\nexit 7\ndone\n");
  stay();
}

static int reopened(const char *name, int fd) {
  char path[64], link[64];

  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  ssize_t size = readlink(path, link, sizeof link - 1);
  link[size < 0 ? 0 : size] = 0;
  close(fd);
  fd = open(link, O_RDWR | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0)
    console_say("%s: %s cannot be opened again", name, link);
  return fd;
}

/* The control port with them. */
static void reopen(void) {
  say("hello 1\nstarted 1\n");
  for (unsigned i = 0; i < HUNDREDS; i++) {
    write_all(ports.out, "o", 1);
    ports.out = reopened("out", ports.out);
    ports.err = reopened("err", ports.err);
    ports.in = reopened("in", ports.in);
    ports.files = reopened("files", ports.files);
    control_fd = reopened("control", control_fd);
  }
  say("exit 8\n");
  end_well();
}

static const struct {
  const char *name;
  void (*run)(void);
} cases[] = {
    {"escape", escape},
    {"long-name", long_name},
    {"huge-file", huge_file},
    {"endless-files", endless_files},
    {"endless-output", endless_output},
    {"false-results", false_results},
    {"endless-control", endless_control},
    {"endless-lines", endless_lines},
    {"silly-words", silly_words},
    {"other-version", other_version},
    {"strange-text", strange_text},
    {"warnings", warnings},
    {"exit-and-stay", exit_and_stay},
    {"done-and-stay", done_and_stay},
    {"done-with-open-ports", done_with_open_ports},
    {"reopen", reopen},
};

int main(void) {
  Spec spec;

  mount_basics();
  survive_oom();
  if (!read_spec(&spec, "/eret/spec"))
    power_off();
  load_modules("/eret/modules");
  if (!find_ports(&ports))
    power_off();
  control_fd = ports.control;
  for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++)
    if (strcmp(cases[i].name, spec.arguments[0]) == 0)
      cases[i].run();
  console_say("no such case: %s", spec.arguments[0]);
  power_off();
}
