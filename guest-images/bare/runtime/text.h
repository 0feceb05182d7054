/* SPDX-License-Identifier: Apache-2.0 */
/* Strings, numbers and formatting, as far as the guests need them. */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

size_t text_length(const char *text);
bool text_equal(const char *a, const char *b);
bool text_starts(const char *text, const char *start);
/* Decimal, or hexadecimal after 0x. Stops at what is no digit. */
uint64_t text_number(const char *text);

/* %s %c %d %u %x %p %%, with l, a width, 0 and -. Writes up to SIZE bytes, no zero byte; returns how many. */
size_t text_format(char *buffer, size_t size, const char *format, va_list arguments);

/* The compiler may call these for plain C (GCC manual, -ffreestanding). */
void *memcpy(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
