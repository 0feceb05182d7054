/* SPDX-License-Identifier: Apache-2.0 */
#include "print.h"

#include "machine.h"
#include "text.h"

#define LINE_MAX 400

/* PL011 (Arm DDI 0183), 3.3: data register; flag register with "transmit FIFO full". */
#define UARTDR      0x00
#define UARTFR      0x18
#define UARTFR_TXFF (1u << 5)

static void uart_write(const char *text, size_t size) {
  for (size_t i = 0; i < size; i++) {
    while (mmio_read32(machine.uart + UARTFR) & UARTFR_TXFF)
      ;
    mmio_write32(machine.uart + UARTDR, (uint8_t)text[i]);
  }
}

/* A CPU that fails while another one prints must get its last words out: the lock is waited for, but not for ever. */
#define LOCK_TRIES 100000000

static bool lock_taken;

static void lock(void) {
  for (unsigned tries = 0; tries < LOCK_TRIES && __atomic_test_and_set(&lock_taken, __ATOMIC_ACQUIRE); tries++)
    ;
}

static void unlock(void) {
  __atomic_clear(&lock_taken, __ATOMIC_RELEASE);
}

void print(const char *format, ...) {
  char line[LINE_MAX];
  va_list arguments;

  va_start(arguments, format);
  size_t size = text_format(line, sizeof line, format, arguments);
  va_end(arguments);
  lock();
  if (machine.console_is_uart)
    uart_write(line, size);
  else
    eret_write(machine.console, line, size);
  unlock();
}
