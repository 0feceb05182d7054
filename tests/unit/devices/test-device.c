/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a device that every model shares: devices/device.c. */
#include <libfdt.h>

#include "tests/unit/fakes.h"

typedef struct {
  Device device;
  unsigned resets, pauses, resumes, frees;
} Model;

static void model_reset(Device *device) {
  ((Model *)device)->resets++;
}

static void model_pause(Device *device) {
  ((Model *)device)->pauses++;
}

static void model_resume(Device *device) {
  ((Model *)device)->resumes++;
}

static void model_describe(const Device *device, const DeviceSlot *slot, FdtWriter *fdt) {
  fdt_writer_begin_at(fdt, "model", slot->base);
  fdt_writer_end(fdt);
}

static void model_free(Device *device) {
  ((Model *)device)->frees++;
  device_clear(device);
}

static const DeviceOps full_ops = {
    .describe = model_describe,
    .reset = model_reset,
    .pause = model_pause,
    .resume = model_resume,
    .free = model_free,
};
static const DeviceOps bare_ops = {.free = model_free};
static const DeviceSlot slot = {.base = 0x1234000, .size = 0x1000, .spi = DEVICE_NO_SPI};

static void test_init(void) {
  char name[] = "model7";
  Model model = {0};

  device_init(&model.device, &full_ops, name, NULL);
  name[0] = '?';
  g_assert_cmpstr(model.device.name, ==, "model7");
  g_assert_true(model.device.ops == &full_ops);
  g_assert_true(model.device.lock == &model.device.own_lock);
  g_assert_true(g_mutex_trylock(model.device.lock));
  g_mutex_unlock(model.device.lock);
  device_clear(&model.device);
  g_assert_null(model.device.name);
}

static void test_shared_lock(void) {
  Model whole = {0}, part = {0};

  device_init(&whole.device, &full_ops, "whole", NULL);
  device_init(&part.device, &full_ops, "part", whole.device.lock);
  g_assert_true(part.device.lock == &whole.device.own_lock);
  device_clear(&part.device);
  g_assert_true(g_mutex_trylock(whole.device.lock)); /* the part's end leaves it alone */
  g_mutex_unlock(whole.device.lock);
  device_clear(&whole.device);
}

static void test_calls(void) {
  Model model = {0};
  device_init(&model.device, &full_ops, "model", NULL);

  device_reset(&model.device);
  device_reset(&model.device);
  device_reset(&model.device);
  device_pause(&model.device);
  device_pause(&model.device);
  device_resume(&model.device);
  g_assert_cmpuint(model.resets, ==, 3);
  g_assert_cmpuint(model.pauses, ==, 2);
  g_assert_cmpuint(model.resumes, ==, 1);

  g_autoptr(GBytes) blob = fake_describe(&model.device, &slot);
  g_assert_cmpint(fdt_path_offset(g_bytes_get_data(blob, NULL), "/model@1234000"), >, 0);
  device_free(&model.device);
  g_assert_cmpuint(model.frees, ==, 1);
}

/* A model may leave all of them out. */
static void test_optional_calls(void) {
  Model model = {0};
  device_init(&model.device, &bare_ops, "bare", NULL);

  device_reset(&model.device);
  device_pause(&model.device);
  device_resume(&model.device);
  g_autoptr(GBytes) blob = fake_describe(&model.device, &slot);
  g_assert_cmpint(fdt_first_subnode(g_bytes_get_data(blob, NULL), 0), ==, -FDT_ERR_NOTFOUND);
  g_assert_cmpuint(model.resets + model.pauses + model.resumes, ==, 0);
  device_free(&model.device);
  g_assert_cmpuint(model.frees, ==, 1);
  device_free(NULL);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/device/init", test_init);
  g_test_add_func("/device/shared-lock", test_shared_lock);
  g_test_add_func("/device/calls", test_calls);
  g_test_add_func("/device/optional-calls", test_optional_calls);
  return g_test_run();
}
