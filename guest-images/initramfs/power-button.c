/* SPDX-License-Identifier: Apache-2.0 */
/* Waits for the power button: a rising edge on line 3 of the PL061, through the GPIO character device.
 *
 * Linux has a driver that makes a key of it (gpio-keys), but Debian's cloud kernels are built without. Prints its argument, if any,
 * once it listens; exits with 0 when the button was pressed, with 1 when there is no such line.
 *
 * Source: Linux, include/uapi/linux/gpio.h, version 2 of the interface. */
#include <fcntl.h>
#include <linux/gpio.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { POWER_BUTTON_LINE = 3, PL061_LINES = 8, MAX_CHIPS = 8 };

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

int main(int argc, char **argv) {
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

  if (argc > 1) {
    puts(argv[1]);
    fflush(stdout);
  }

  struct gpio_v2_line_event event;
  return read(request.fd, &event, sizeof event) == sizeof event ? 0 : 1;
}
