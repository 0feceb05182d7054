/* SPDX-License-Identifier: Apache-2.0 */
/* Kernel files of every format, and packed in every way: vmm/boot/. What is accepted can be placed. */
#include "tests/fuzz/fuzz.h"

#include "vmm/boot/decompress.h"
#include "vmm/boot/kernel-formats.h"

#define RAM_BASE UINT64_C(0x40000000)
#define RAM_SIZE (UINT64_C(1) << 30)

static void look(const KernelImage *image) {
  gsize size;
  const uint8_t *data = g_bytes_get_data(image->contents, &size);
  BootPlacement placement = {.kernel_base = 0};
  g_autoptr(GError) error = NULL;
  g_autofree char *release = kernel_image_release(image);
  uint64_t sum = 0;

  g_assert_cmpuint(image->segments->len, >, 0);
  for (guint i = 0; i < image->segments->len; i++) {
    const KernelSegment *segment = &g_array_index(image->segments, KernelSegment, i);
    g_assert_true(segment->data >= data && segment->data <= data + size);
    g_assert_cmpuint(segment->size, <=, data + size - segment->data);
    g_assert_cmpuint(segment->size, <=, segment->memory_size);
    g_assert_cmpuint(segment->address, <=, UINT64_MAX - segment->memory_size);
    for (uint64_t at = 0; at < segment->size; at += 61)
      sum += segment->data[at];
  }
  if (boot_place(image, RAM_BASE, RAM_SIZE, 4096, 4096, &placement, &error)) {
    g_assert_cmpuint(placement.kernel_start, >=, RAM_BASE);
    g_assert_cmpuint(placement.kernel_size, <=, RAM_SIZE);
    g_assert_cmpuint(placement.kernel_start - RAM_BASE, <=, RAM_SIZE - placement.kernel_size);
    g_assert_cmpuint(placement.entry - RAM_BASE, <, RAM_SIZE);
  }
}

/* A small bound, which is met by a short input. */
static void unpack(const uint8_t *data, size_t size) {
  g_autoptr(GError) error = NULL;
  Compression compression = decompress_detect(data, size);

  if (compression == COMPRESSION_NONE)
    return;
  g_autoptr(GBytes) bytes = decompress_bytes(compression, data, size, 1 << 16, &error);
  g_assert_true(!bytes == !!error);
  g_assert_true(!bytes || g_bytes_get_size(bytes) <= 1 << 16);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  g_autoptr(GBytes) contents = g_bytes_new_take(g_memdup2(data, size), size);

  for (KernelFormat format = KERNEL_FORMAT_AUTO; format <= KERNEL_FORMAT_RAW; format++) {
    g_autoptr(GError) error = NULL;
    g_autoptr(KernelImage) image = kernel_image_parse(contents, format, &error);
    g_assert_true(!image == !!error);
    if (image)
      look(image);
  }
  unpack(g_bytes_get_data(contents, NULL), size);
  kernel_identify(g_bytes_get_data(contents, NULL), size);
  return 0;
}
