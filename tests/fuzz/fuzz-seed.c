/* SPDX-License-Identifier: Apache-2.0 */
/* What cloud-init in a guest is told, of a user's files with anything in them: vmm/seed/. */
#include "tests/fuzz/fuzz.h"

#include "vmm/seed/cloud-seed.h"

static GBytes *piece(FuzzInput *input) {
  size_t size;
  const uint8_t *bytes = fuzz_bytes(input, (size_t)fuzz_number(input, 2), &size);

  return g_bytes_new_take(g_memdup2(bytes, size), size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  FuzzInput input = {data, size};
  g_autoptr(CloudSeed) seed = cloud_seed_new();
  unsigned what = (unsigned)fuzz_number(&input, 1);
  g_autofree char *name = fuzz_line(&input), *key = fuzz_line(&input), *password = fuzz_line(&input);

  seed->hostname = cloud_seed_hostname(name);
  if (what & 16)
    g_ptr_array_add(seed->keys, g_utf8_make_valid(key, -1));
  if (what & 32)
    cloud_seed_take_password(seed, password, strlen(password));
  for (unsigned i = 0; i < SEED_PARTS; i++)
    if (what & 1u << i)
      seed->own[i] = piece(&input);
  if (seed->own[SEED_USER_DATA])
    cloud_seed_explain_user_data(seed->own[SEED_USER_DATA]);
  if (seed->own[SEED_META_DATA])
    cloud_seed_has_instance(seed->own[SEED_META_DATA]);
  if (!cloud_seed_explain_conflict(seed)) {
    g_autoptr(GPtrArray) files = cloud_seed_files(seed);
    g_assert_cmpuint(files->len, >=, 1);
  }
  return 0;
}
