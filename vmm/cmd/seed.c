/* SPDX-License-Identifier: Apache-2.0 */
/* Once for the machine's life: the guest finds the same at each of its boots. */
#include "vmm/cmd/seed.h"

#include "vmm/cmd/ask-password.h"
#include "vmm/seed/seed-volume.h"

bool settle_seed(Config *config, GError **error) {
  if (!config->seed)
    return true;
  if (!seed_volume_can_make(error)) /* before anything is asked */
    return false;
  if (config->seed->asks_password && !config->seed->password && !ask_password(config->seed, error))
    return false;
  g_autoptr(GPtrArray) files = cloud_seed_files(config->seed);
  config->seed_content.bytes = seed_volume_make(files, error);
  return config->seed_content.bytes;
}
