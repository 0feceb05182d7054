/* SPDX-License-Identifier: Apache-2.0 */
#include "text.h"

size_t text_length(const char *text) {
  size_t length = 0;
  while (text[length])
    length++;
  return length;
}

bool text_equal(const char *a, const char *b) {
  while (*a && *a == *b) {
    a++;
    b++;
  }
  return *a == *b;
}

bool text_starts(const char *text, const char *start) {
  while (*start && *text == *start) {
    text++;
    start++;
  }
  return !*start;
}

static unsigned digit(char c) {
  if (c >= '0' && c <= '9')
    return (unsigned)(c - '0');
  if (c >= 'a' && c <= 'f')
    return (unsigned)(c - 'a' + 10);
  return 16;
}

uint64_t text_number(const char *text) {
  unsigned base = 10;
  uint64_t number = 0;

  if (text_starts(text, "0x")) {
    base = 16;
    text += 2;
  }
  for (; digit(*text) < base; text++)
    number = number * base + digit(*text);
  return number;
}

void *memcpy(void *to, const void *from, size_t size) {
  for (size_t i = 0; i < size; i++)
    ((char *)to)[i] = ((const char *)from)[i];
  return to;
}

void *memset(void *to, int byte, size_t size) {
  for (size_t i = 0; i < size; i++)
    ((char *)to)[i] = (char)byte;
  return to;
}

typedef struct {
  char *buffer;
  size_t size, used;
} Output;

static void put(Output *output, char c) {
  if (output->used < output->size)
    output->buffer[output->used++] = c;
}

typedef struct {
  bool left, zero;
  unsigned width;
  bool wide; /* l */
} Spec;

static void put_padded(Output *output, const Spec *spec, const char *text, size_t length) {
  char padding = spec->zero ? '0' : ' ';

  for (size_t i = length; !spec->left && i < spec->width; i++)
    put(output, padding);
  for (size_t i = 0; i < length; i++)
    put(output, text[i]);
  for (size_t i = length; spec->left && i < spec->width; i++)
    put(output, ' ');
}

static void put_number(Output *output, const Spec *spec, uint64_t number, unsigned base, const char *sign) {
  char digits[24]; /* 2^64 has 20 */
  size_t at = sizeof digits;

  do
    digits[--at] = "0123456789abcdef"[number % base];
  while (number /= base);
  while (*sign)
    digits[--at] = *sign++;
  put_padded(output, spec, digits + at, sizeof digits - at);
}

static const char *parse_spec(const char *format, Spec *spec) {
  *spec = (Spec){0};
  for (; *format == '-' || *format == '0'; format++)
    *(*format == '-' ? &spec->left : &spec->zero) = true;
  for (; *format >= '0' && *format <= '9'; format++)
    spec->width = spec->width * 10 + digit(*format);
  for (; *format == 'l'; format++)
    spec->wide = true;
  return format;
}

/*
 * A va_list that is a parameter is changed for the caller only by way of a struct around it (C11, 7.16, footnote 253).
 */
typedef struct {
  va_list list;
} Arguments;

static void put_argument(Output *output, const Spec *spec, char kind, Arguments *arguments) {
  char c;
  const char *text;
  int64_t number;

  switch (kind) {
  case 's':
    text = va_arg(arguments->list, const char *);
    put_padded(output, spec, text, text_length(text));
    break;
  case 'd':
    number = spec->wide ? va_arg(arguments->list, int64_t) : va_arg(arguments->list, int);
    put_number(output, spec, number < 0 ? 0 - (uint64_t)number : (uint64_t)number, 10, number < 0 ? "-" : "");
    break;
  case 'u':
  case 'x':
    put_number(output, spec, spec->wide ? va_arg(arguments->list, uint64_t) : va_arg(arguments->list, unsigned), kind == 'u' ? 10 : 16, "");
    break;
  case 'p':
    put_number(output, spec, (uint64_t)va_arg(arguments->list, void *), 16, "x0"); /* put back to front */
    break;
  default: /* %c, %% */
    c = kind == 'c' ? (char)va_arg(arguments->list, int) : kind;
    put_padded(output, spec, &c, 1);
  }
}

size_t text_format(char *buffer, size_t size, const char *format, va_list arguments) {
  Output output = {buffer, size, 0};
  Arguments rest;

  va_copy(rest.list, arguments);
  for (; *format; format++) {
    Spec spec;
    if (*format != '%') {
      put(&output, *format);
      continue;
    }
    format = parse_spec(format + 1, &spec);
    put_argument(&output, &spec, *format, &rest);
  }
  va_end(rest.list);
  return output.used;
}
