/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The machine's power button: line 3 of its PL061, through the GPIO character device, as not every kernel makes a key
 * of it. With ACPI the line is the kernel's own. Linux: include/uapi/linux/gpio.h, version 2 of the interface.
 */
#include <fcntl.h>
#include <linux/gpio.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "init.h"

#define BUTTON_LINE 3
#define PL061_LINES 8
#define CHIPS_MAX   8

static int request_line(int chip) {
  struct gpio_v2_line_request request = {
      .offsets = {BUTTON_LINE},
      .consumer = "eret-init",
      .num_lines = 1,
      .config = {.flags = GPIO_V2_LINE_FLAG_INPUT | GPIO_V2_LINE_FLAG_EDGE_RISING},
  };

  if (ioctl(chip, GPIO_V2_GET_LINE_IOCTL, &request) < 0)
    return -1;
  fcntl(request.fd, F_SETFD, FD_CLOEXEC);
  fcntl(request.fd, F_SETFL, fcntl(request.fd, F_GETFL) | O_NONBLOCK);
  return request.fd;
}

int open_button(void) {
  int fd = -1;

  for (int i = 0; i < CHIPS_MAX && fd < 0; i++) {
    char path[32];
    struct gpiochip_info info;
    snprintf(path, sizeof path, "/dev/gpiochip%d", i);
    int chip = open(path, O_RDWR | O_CLOEXEC);
    if (chip < 0)
      continue;
    if (ioctl(chip, GPIO_GET_CHIPINFO_IOCTL, &info) == 0 && info.lines == PL061_LINES)
      fd = request_line(chip);
    close(chip);
  }
  return fd;
}

bool button_pressed(int fd) {
  struct gpio_v2_line_event event;

  return fd >= 0 && read(fd, &event, sizeof event) == sizeof event;
}
