/* SPDX-License-Identifier: Apache-2.0 */
/*
 * eret-guest: a Linux guest's word to eret. A program may not execute HVC, so it goes through the doorbell page
 * (docs/hypercalls.md), which it finds in the device tree, or by ACPI, and maps through /dev/mem. Needs root. One call
 * at a time: all instances share a frame and lock each other out by flock.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "eret-hypercall.h"

#define DEVICE_TREE   "/proc/device-tree"
#define DEVICES       "/sys/bus/platform/devices"
#define RESOURCES     "/proc/iomem"
#define MEMORY        "/dev/mem"
#define NS_PER_SECOND 1000000000u
#define EXIT_USAGE    2

static const char help[] = "Usage: eret-guest [OPTION]... COMMAND\n"
                           "Calls eret, the monitor of this virtual machine.\n"
                           "\n"
                           "  version         is eret there? its interface's version\n"
                           "  mark NAME       marks this moment in eret's log\n"
                           "  ready           says that the guest is up\n"
                           "  exit N          ends the machine at once with exit status N, 0 to 255; nothing is flushed: sync first\n"
                           "  print TEXT...   prints a line on eret's console\n"
                           "  time            the host's clocks\n"
                           "  nop [N]         N calls that do nothing (1000), and how long one takes\n"
                           "\n"
                           "  --door doorbell    the way to eret: the doorbell page is the only one that programs have\n"
                           "  --address ADDRESS  where the page is; else the device tree or ACPI says so\n"
                           "  --frame N          which of its 16 frames, 0 to 15 (0)\n"
                           "  --help\n";

typedef struct {
  uint64_t address; /* of the page */
  bool have_address;
  uint64_t frame;
} Options;

static void __attribute__((noreturn, format(printf, 2, 3))) fail(int status, const char *format, ...) {
  va_list arguments;

  va_start(arguments, format);
  fputs("eret-guest: ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  va_end(arguments);
  exit(status);
}

static uint64_t parse_number(const char *what, const char *text, uint64_t max) {
  char *end;

  errno = 0;
  uint64_t number = strtoull(text, &end, 0);
  if (!*text || *text == '-' || *end || errno || number > max)
    fail(EXIT_USAGE, "%s is to be a number from 0 to %" PRIu64 ", not \"%s\"", what, max, text);
  return number;
}

/* --- finding the page --------------------------------------------------------------------------------------------- */

/* DIRECTORY/NAME/WHAT: its bytes, up to SIZE. Returns how many; 0: there is no such file. */
static size_t read_file(const char *directory, const char *name, const char *what, void *bytes, size_t size) {
  char path[512];

  snprintf(path, sizeof path, "%s/%s/%s", directory, name, what);
  FILE *file = fopen(path, "rbe");
  if (!file)
    return 0;
  size_t got = fread(bytes, 1, size, file);
  fclose(file);
  return got;
}

/* Of a node of the device tree. */
static bool is_compatible(const char *name) {
  char list[256] = "";
  size_t size = read_file(DEVICE_TREE, name, "compatible", list, sizeof list - 1);

  for (size_t at = 0; at < size; at += strlen(list + at) + 1)
    if (strcmp(list + at, ERET_PAGE_COMPATIBLE) == 0)
      return true;
  return false;
}

/* Two cells of address, as the root of eret's tree has them; big-endian. */
static bool read_address(const char *name, uint64_t *address) {
  unsigned char reg[16];

  if (read_file(DEVICE_TREE, name, "reg", reg, sizeof reg) != sizeof reg)
    return false;
  *address = 0;
  for (unsigned i = 0; i < 8; i++)
    *address = *address << 8 | reg[i];
  return true;
}

/*
 * Of a device of ACPI's that is described as in a device tree Linux says so in its alias, "of:NnameTtypeCcompatible"
 * (drivers/acpi/device_sysfs.c, create_of_modalias).
 */
static bool is_compatible_by_acpi(const char *name) {
  char alias[256] = "";

  read_file(DEVICES, name, "modalias", alias, sizeof alias - 1);
  const char *found = strstr(alias, "C" ERET_PAGE_COMPATIBLE);
  return strncmp(alias, "of:", 3) == 0 && found && strchr("C\n", found[strlen("C" ERET_PAGE_COMPATIBLE)]);
}

/* "  0900f000-0900ffff : NAME": who is not root sees zeros there. */
static bool read_resource(const char *name, uint64_t *address) {
  FILE *file = fopen(RESOURCES, "re");
  char line[256], whose[sizeof line];
  bool found = false;

  while (file && !found && fgets(line, sizeof line, file))
    found = sscanf(line, " %" SCNx64 "-%*x : %255s", address, whose) == 2 && strcmp(whose, name) == 0 && *address != 0;
  if (file)
    fclose(file);
  return found;
}

/* Looks through DIRECTORY. *SEEN: it can be read. */
static bool find_in(const char *directory, bool (*is_it)(const char *name), bool (*read_it)(const char *name, uint64_t *address),
                    uint64_t *address, bool *seen) {
  DIR *all = opendir(directory);
  bool found = false;

  if (!all)
    return false;
  *seen = true;
  for (struct dirent *entry; !found && (entry = readdir(all));)
    found = entry->d_name[0] != '.' && is_it(entry->d_name) && read_it(entry->d_name, address);
  closedir(all);
  return found;
}

static uint64_t find_page(void) {
  uint64_t address;
  bool seen = false;

  if (find_in(DEVICE_TREE, is_compatible, read_address, &address, &seen) ||
      find_in(DEVICES, is_compatible_by_acpi, read_resource, &address, &seen))
    return address;
  if (!seen)
    fail(EXIT_FAILURE, "cannot look for eret in " DEVICE_TREE " or " DEVICES ": %s; --address says where its page is", strerror(errno));
  fail(EXIT_FAILURE, "neither device tree nor ACPI of this machine has %s: it is not eret's", ERET_PAGE_COMPATIBLE);
}

/* --- the door ----------------------------------------------------------------------------------------------------- */

static struct eret_door open_door(const Options *options) {
  uint64_t address = (options->have_address ? options->address : find_page()) + options->frame * ERET_PAGE_FRAME_SIZE;
  uint64_t in_page = address % (uint64_t)sysconf(_SC_PAGESIZE); /* a kernel may have larger pages than a frame is */

  /* O_SYNC: mapped as a device, not as memory that may be cached and reordered. */
  int fd = open(MEMORY, O_RDWR | O_SYNC | O_CLOEXEC);
  if (fd < 0)
    fail(EXIT_FAILURE, "cannot open " MEMORY ": %s%s", strerror(errno),
         errno == EACCES || errno == EPERM ? "; it takes root, and a kernel that is not locked down" : "");
  if (flock(fd, LOCK_EX) != 0)
    fail(EXIT_FAILURE, "cannot lock " MEMORY ": %s", strerror(errno));
  char *map = mmap(NULL, in_page + ERET_PAGE_FRAME_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)(address - in_page));
  if (map == MAP_FAILED)
    fail(EXIT_FAILURE, "cannot map 0x%" PRIx64 " of " MEMORY ": %s", address, strerror(errno));
  if (eret_page_read32(map + in_page, ERET_PAGE_MAGIC) != ERET_MAGIC)
    fail(EXIT_FAILURE, "at 0x%" PRIx64 " there is something, but not eret's doorbell page", address);
  return (struct eret_door){ERET_DOOR_PAGE, map + in_page};
}

static const char *error_text(int64_t error) {
  switch (error) {
  case ERET_NOT_SUPPORTED:
    return "eret does not offer this";
  case ERET_INVALID_PARAMETER:
    return "eret does not accept these values";
  case ERET_TIMED_OUT:
    return "the service behind eret did not answer in time";
  case ERET_NO_PEER:
    return "the service behind eret is gone";
  default:
    return "an error this program does not know";
  }
}

static void check(int64_t result) {
  if (result != ERET_SUCCESS)
    fail(EXIT_FAILURE, "%s (%" PRId64 ")", error_text(result), result);
}

/* --- the commands ------------------------------------------------------------------------------------------------- */

static void command_version(struct eret_door door, int n, char **words) {
  uint64_t version, functions;

  (void)n, (void)words;
  check(eret_version(door, &version, &functions));
  printf("eret hypercalls %" PRIu64 ".%" PRIu64 ", functions 0x%" PRIx64 "\n", version >> 16, version & 0xffff, functions);
}

static void command_mark(struct eret_door door, int n, char **words) {
  size_t size = strlen(words[0]);

  (void)n;
  if (size > ERET_NAME_MAX)
    fail(EXIT_USAGE, "a mark's name has at most %d bytes, this one has %zu", ERET_NAME_MAX, size);
  check(eret_mark(door, 0, words[0], size));
}

static void command_ready(struct eret_door door, int n, char **words) {
  (void)n, (void)words;
  check(eret_ready(door));
}

static void command_exit(struct eret_door door, int n, char **words) {
  (void)n;
  check(eret_exit(door, parse_number("the exit status", words[0], 255)));
}

/* In one piece, so that a short line is one call and comes out whole. */
static void command_print(struct eret_door door, int n, char **words) {
  size_t size = 0;

  for (int i = 0; i < n; i++)
    size += strlen(words[i]) + 1;
  char *line = malloc(size + 1), *end = line;
  if (!line)
    fail(EXIT_FAILURE, "no memory for %zu bytes", size);
  for (int i = 0; i < n; i++)
    end += sprintf(end, "%s%s", words[i], i + 1 < n ? " " : "\n");
  check(eret_write(door, line, size));
  free(line);
}

static void command_time(struct eret_door door, int n, char **words) {
  uint64_t monotonic, real;
  char text[32];

  (void)n, (void)words;
  check(eret_time(door, &monotonic, &real));
  time_t seconds = (time_t)(real / NS_PER_SECOND);
  struct tm utc;
  strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", gmtime_r(&seconds, &utc));
  printf("monotonic %" PRIu64 ".%09" PRIu64 "\n", monotonic / NS_PER_SECOND, monotonic % NS_PER_SECOND);
  printf("real %" PRIu64 ".%09" PRIu64 " %sZ\n", real / NS_PER_SECOND, real % NS_PER_SECOND, text);
}

static uint64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

static void command_nop(struct eret_door door, int n, char **words) {
  uint64_t rounds = n ? parse_number("the number of calls", words[0], 1000000000) : 1000;
  uint64_t before = now_ns();

  for (uint64_t i = 0; i < rounds; i++)
    check(eret_nop(door));
  printf("%" PRIu64 " calls, %" PRIu64 " ns each\n", rounds, rounds ? (now_ns() - before) / rounds : 0);
}

static const struct {
  const char *name;
  int min, max; /* words after it */
  const char *usage;
  void (*run)(struct eret_door door, int n, char **words);
} commands[] = {
    {"version", 0, 0, "version", command_version},
    {"mark", 1, 1, "mark NAME", command_mark},
    {"ready", 0, 0, "ready", command_ready},
    {"exit", 1, 1, "exit N", command_exit},
    {"print", 1, 1 << 20, "print TEXT...", command_print},
    {"time", 0, 0, "time", command_time},
    {"nop", 0, 1, "nop [N]", command_nop},
};

/* Words are checked as far as possible before the machine is touched. */
static void run_command(const Options *options, int n, char **words) {
  for (unsigned i = 0; i < sizeof commands / sizeof *commands; i++) {
    if (strcmp(words[0], commands[i].name) != 0)
      continue;
    if (n - 1 < commands[i].min || n - 1 > commands[i].max)
      fail(EXIT_USAGE, "this is the way: eret-guest %s", commands[i].usage);
    if (commands[i].run == command_exit)
      parse_number("the exit status", words[1], 255);
    commands[i].run(open_door(options), n - 1, words + 1);
    return;
  }
  fail(EXIT_USAGE, "unknown command \"%s\"; --help lists them", words[0]);
}

static void parse_option(int option, Options *options) {
  switch (option) {
  case 'd':
    if (strcmp(optarg, "doorbell") != 0)
      fail(EXIT_USAGE, "--door %s: %s", optarg,
           strcmp(optarg, "hvc") == 0 || strcmp(optarg, "smc") == 0 ? "programs cannot execute that instruction, only the kernel can"
                                                                    : "there is only --door doorbell");
    break;
  case 'a':
    options->address = parse_number("--address", optarg, INT64_MAX);
    options->have_address = true;
    break;
  case 'f':
    options->frame = parse_number("--frame", optarg, ERET_PAGE_FRAMES - 1);
    break;
  case 'h':
    fputs(help, stdout);
    exit(EXIT_SUCCESS);
  default: /* getopt has said what is wrong */
    exit(EXIT_USAGE);
  }
}

/* /dev/mem must not take the place of a standard output that is closed: what is printed would be written to memory. */
static void keep_standard_fds(void) {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
    if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDONLY) != fd)
      exit(EXIT_FAILURE);
}

int main(int argc, char **argv) {
  static const struct option long_options[] = {
      {"door", required_argument, NULL, 'd'},
      {"address", required_argument, NULL, 'a'},
      {"frame", required_argument, NULL, 'f'},
      {"help", no_argument, NULL, 'h'},
      {0},
  };
  Options options = {0};

  keep_standard_fds();
  for (int option; (option = getopt_long(argc, argv, "+h", long_options, NULL)) != -1;)
    parse_option(option, &options);
  if (optind == argc)
    fail(EXIT_USAGE, "what is to be done? --help lists the commands");
  run_command(&options, argc - optind, argv + optind);
  if (fflush(stdout) != 0 || ferror(stdout))
    fail(EXIT_FAILURE, "cannot write standard output: %s", strerror(errno));
  return EXIT_SUCCESS;
}
