/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waits for the power button: a rising edge on line 3 of the PL061, through the GPIO character device; with -i,
 * KEY_POWER from an input device. With ACPI the line is the kernel's own, which makes such a key of it.
 *
 * Linux has a driver that makes a key of it (gpio-keys), but Debian's cloud kernels are built without. Prints its
 * argument, if any, once it listens; exits with 0 when the button was pressed, with 1 when there is no such line.
 *
 * Sources: Linux, include/uapi/linux/gpio.h, version 2 of the interface; include/uapi/linux/input.h.
 */
#include <fcntl.h>
#include <linux/gpio.h>
#include <linux/input.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { POWER_BUTTON_LINE = 3, PL061_LINES = 8, MAX_CHIPS = 8, MAX_INPUTS = 8, KEY_BYTES = KEY_MAX / 8 + 1 };

/* The PL061 among the machine's GPIO chips, or -1. */
static int open_pl061(void) {
  for (int i = 0; i < MAX_CHIPS; i++) {
    char path[32];
    snprintf(path, sizeof path, "/dev/gpiochip%d", i);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    struct gpiochip_info info;
    if (fd >= 0 && ioctl(fd, GPIO_GET_CHIPINFO_IOCTL, &info) == 0 && info.lines == PL061_LINES)
      return fd;
    if (fd >= 0)
      close(fd);
  }
  return -1;
}

static void announce(const char *text) {
  if (!text)
    return;
  puts(text);
  fflush(stdout);
}

/* The first input device with a power key, or -1. */
static int open_input(void) {
  for (int i = 0; i < MAX_INPUTS; i++) {
    char path[32];
    unsigned char keys[KEY_BYTES] = {0};
    snprintf(path, sizeof path, "/dev/input/event%d", i);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && ioctl(fd, EVIOCGBIT(EV_KEY, sizeof keys), keys) >= 0 && keys[KEY_POWER / 8] & 1 << KEY_POWER % 8)
      return fd;
    if (fd >= 0)
      close(fd);
  }
  return -1;
}

/* Says what the device is called, then each press and release of the key; returns after the first release. */
static int wait_for_key(const char *text) {
  char name[64] = "";
  struct input_event event;
  int input = open_input(), presses = 0;

  if (input < 0 || ioctl(input, EVIOCGNAME(sizeof name - 1), name) < 0)
    return 1;
  printf("GUEST input=%s\n", name);
  announce(text);
  while (read(input, &event, sizeof event) == sizeof event) {
    if (event.type != EV_KEY || event.code != KEY_POWER)
      continue;
    presses += event.value == 1;
    if (event.value == 0)
      return presses == 1 ? 0 : 1;
  }
  return 1;
}

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "-i") == 0)
    return wait_for_key(argv[2]);

  int chip = open_pl061();
  if (chip < 0)
    return 1;

  struct gpio_v2_line_request request = {
      .offsets = {POWER_BUTTON_LINE},
      .num_lines = 1,
      .consumer = "power-button",
      .config.flags = GPIO_V2_LINE_FLAG_INPUT | GPIO_V2_LINE_FLAG_EDGE_RISING,
  };
  if (ioctl(chip, GPIO_V2_GET_LINE_IOCTL, &request) != 0) {
    perror("power-button");
    return 1;
  }

  announce(argv[1]);

  struct gpio_v2_line_event event;
  return read(request.fd, &event, sizeof event) == sizeof event ? 0 : 1;
}
